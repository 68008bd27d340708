// Watches over the ranks of a node. Each rank notes in shared memory what its main
// thread waits for; a thread of each rank looks at all of them. It ends the job
// with exit code 4 and a line that names the rank when a peer's process is gone
// without having said goodbye, and when this rank has waited longer than the hard
// limit for one that is late.
//
// Ranks call the same collectives in the same order, so the late ones are those
// that have begun fewer than this rank, and those whose watching thread stands
// still: their process is stopped.
//
// LOCKSTEP_SOFT_LIMIT_SECONDS (20) and LOCKSTEP_HARD_LIMIT_SECONDS (60) set the
// limits; past the soft one a line goes to the log. Of ranks of other nodes it knows only
// their hosts: that one is late, but not which; past the hard limit the nodes tell each other, and
// the rank that does not wait says so itself. While the TCP connections of a waiting rank of
// some node carry something, which the nodes tell each other (host_gossip.h), a network is slow and
// nobody is late; but for a rank of this node that stands still, or a node that says nothing any
// more, for a quarter of the hard limit. While a rank does work that it announced as long, and its
// process is not stopped, the hard limit is the soft one and LOCKSTEP_LONG_WORK_LIMIT_SECONDS
// (10 times the hard limit) the hard one.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "comm/host_gossip.h"
#include "lockstep/comm/communicator.h"

namespace lockstep {

class Liveness {
 public:
  // `window` has room for a Note of each rank of the node; `rank` is the world rank of this
  // process; `other_hosts` names the other nodes, for the user; `gossip` is for the first
  // rank of a node among several.
  struct Note;
  static std::size_t note_bytes();
  Liveness(std::unique_ptr<SharedWindow> window, int places, int place, int rank,
           std::string other_hosts, std::unique_ptr<HostGossip> gossip);
  ~Liveness();

  // By the main thread: begins to wait for the others in `operation`, a literal;
  // ends to wait.
  void begin_wait(const char* operation);
  void end_wait();
  bool is_waiting() const;
  // By the main thread: begins work of this rank alone that may take long; until
  // its next begin_wait() the limit for long work holds for those that wait.
  void begin_long_work(const char* operation);
  // By the main thread: `rank`, or kEachRank, begins such work. Where that is of another
  // node, so that its note cannot be seen here, the limit for long work holds in the next
  // wait.
  void expect_long_work(int rank);
  // By the main thread: this rank leaves in order; its end is no fault. It still watches while it
  // waits for others.
  void say_goodbye();

 private:
  using Clock = std::chrono::steady_clock;

  void watch();
  void look();
  void follow_beats();
  void forget(Clock::duration stopped);
  void hear_other_hosts(Clock::time_point now);
  Clock::duration stands_still_after() const;
  bool is_frozen(std::size_t place) const;
  bool is_late(std::size_t place) const;
  bool has_ended_here(const Note& note) const;
  void find_dead();
  void find_late(double waited_seconds);
  void find_whether_late(Clock::time_point now);
  void wait_anew(Clock::time_point now);
  std::uint64_t traffic_here() const;
  bool has_traffic(Clock::time_point now);
  bool is_any_still() const;
  bool is_a_host_silent() const;
  bool is_any_late() const;
  bool knows_who_is_late() const;
  double seconds_for_others_to_speak() const;
  static std::string described(const Note& note);
  std::string late_ranks() const;
  bool long_work_goes_on() const;
  [[noreturn]] void end_job(const std::string& message);

  std::unique_ptr<SharedWindow> window_;
  std::vector<Note*> notes_;  // by place on the node
  Note* mine_;
  std::string other_hosts_;
  std::unique_ptr<HostGossip> gossip_;
  struct Beat {
    std::int64_t seen;
    Clock::time_point at;  // when it was new
  };
  std::vector<Beat> beats_;  // by place
  int place_;
  double soft_seconds_;
  double hard_seconds_;
  double long_work_seconds_;
  bool warned_ = false;
  bool was_late_seen_ = false;  // one that is known, when it was warned of
  std::int64_t seen_count_ = -1;
  bool seen_long_work_ = false;
  std::uint64_t seen_traffic_ = 0;              // of all ranks of the node
  std::uint64_t told_traffic_ = 0;              // of them, to other nodes
  std::uint64_t seen_progress_ = 0;             // of all nodes
  std::atomic<bool> expects_long_work_{false};  // of the next wait
  std::atomic<bool> waits_for_long_work_{false};
  Clock::time_point seen_at_;
  Clock::time_point looked_at_;
  Clock::time_point busy_since_;   // this rank, with something else than to wait
  std::size_t last_examined_ = 0;  // place whose process was
  std::mutex mutex_;
  std::condition_variable closing_changed_;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace lockstep
