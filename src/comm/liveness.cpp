#include "comm/liveness.h"

#include <fmt/format.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <utility>

#include "comm/tcp_traffic.h"
#include "comm/wait_limits.h"
#include "lockstep/comm/last_words.h"
#include "lockstep/core/error.h"
#include "lockstep/core/host.h"

namespace lockstep {

// In shared, zeroed memory.
struct Liveness::Note {
  std::atomic<std::int64_t> count;  // waits begun
  std::atomic<bool> waiting;
  std::atomic<bool> long_work;
  std::atomic<bool> gone;               // in order
  std::atomic<std::int64_t> beat;       // looks of the watching thread
  std::atomic<std::uint64_t> traffic;   // bytes, told anew in waits alone that are not short
  std::atomic<std::uint64_t> progress;  // of all nodes; told by the node's first rank
  std::atomic<bool> past_limit;         // waits longer than the hard limit
  std::atomic<bool> alarm;              // one of some node does; told by the node's first rank
  std::atomic<::pid_t> process;
  std::uint64_t numbers;  // whose process numbers those are: of a container, or of the host
  int rank;
  std::array<char, 64> host;
  std::array<char, 64> operation;
  std::array<char, 64> silent_host;  // that the node's first rank hears no more, or nothing
};

namespace {

constexpr auto kPeriod = std::chrono::milliseconds(100);
constexpr std::size_t kExaminedAtOnce = 16;
constexpr auto kFrozenAfter = 10 * kPeriod;
constexpr double kShortWaitSeconds = 1;
constexpr double kGossipSeconds = 1;
constexpr auto kTimeToEnd = std::chrono::seconds(3);  // mpirun kills 1 to 2 s after a rank's end

// Where process numbers are the same ones; 0 where that is not known.
std::uint64_t numbers_of_processes() {
  struct ::stat found {};
  return ::stat("/proc/self/ns/pid", &found) == 0 ? found.st_ino : 0;
}

// Whether a process has ended: gone, or a zombie that its parent has not reaped.
bool has_ended(::pid_t process) {
  if (::kill(process, 0) != 0 && errno == ESRCH) return true;
  std::ifstream file(fmt::format("/proc/{}/stat", process));
  std::string text;
  if (!std::getline(file, text)) return false;   // it cannot be seen now; another look follows
  const std::size_t name_end = text.rfind(')');  // the name may hold anything
  return name_end != std::string::npos && text.size() > name_end + 2 && text[name_end + 2] == 'Z';
}

std::chrono::steady_clock::duration as_duration(double seconds) {
  return std::chrono::duration_cast<std::chrono::steady_clock::duration>(
      std::chrono::duration<double>(seconds));
}

template <std::size_t N>
void copy_text(std::array<char, N>& to, const char* from) {
  const std::size_t length = std::min(std::strlen(from), N - 1);
  std::memcpy(to.data(), from, length);
  to[length] = '\0';
}

}  // namespace

std::size_t Liveness::note_bytes() { return sizeof(Note); }

Liveness::Liveness(std::unique_ptr<SharedWindow> window, int places, int place, int rank,
                   std::string other_hosts, std::unique_ptr<HostGossip> gossip)
    : window_(std::move(window)),
      other_hosts_(std::move(other_hosts)),
      gossip_(std::move(gossip)),
      place_(place),
      soft_seconds_(wait_limits().soft),
      hard_seconds_(wait_limits().hard),
      long_work_seconds_(wait_limits().long_work),
      seen_at_(Clock::now()),
      looked_at_(seen_at_),
      busy_since_(seen_at_) {
  for (int i = 0; i < places; ++i) {
    notes_.push_back(reinterpret_cast<Note*>(window_->part(i).data()));
    beats_.push_back({0, Clock::now()});
  }
  mine_ = notes_[static_cast<std::size_t>(place)];
  last_examined_ = static_cast<std::size_t>(place);
  mine_->rank = rank;
  copy_text(mine_->host, host_name().c_str());
  copy_text(mine_->operation, "start");
  mine_->numbers = numbers_of_processes();
  mine_->process = ::getpid();
  thread_ = std::thread([this] { watch(); });
}

Liveness::~Liveness() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  closing_changed_.notify_all();
  thread_.join();
}

void Liveness::begin_wait(const char* operation) {
  copy_text(mine_->operation, operation);
  mine_->long_work = false;
  waits_for_long_work_ = expects_long_work_.exchange(false);
  mine_->waiting = true;
  ++mine_->count;
}

void Liveness::end_wait() { mine_->waiting = false; }

bool Liveness::is_waiting() const { return mine_->waiting; }

void Liveness::begin_long_work(const char* operation) {
  copy_text(mine_->operation, operation);
  mine_->long_work = true;
}

void Liveness::expect_long_work(int rank) {
  const bool is_here = std::any_of(notes_.begin(), notes_.end(),
                                   [&](const Note* note) { return note->rank == rank; });
  const bool are_all_here = other_hosts_.empty();
  if (rank == kEachRank ? !are_all_here : !is_here) expects_long_work_ = true;
}

void Liveness::say_goodbye() { mine_->gone = true; }

void Liveness::watch() {
  std::unique_lock lock(mutex_);
  while (!closing_changed_.wait_for(lock, kPeriod, [&] { return closing_; })) look();
}

void Liveness::look() {
  ++mine_->beat;
  const auto now = Clock::now();
  if (now - looked_at_ > kFrozenAfter) forget(now - looked_at_);
  looked_at_ = now;
  follow_beats();
  if (!mine_->gone) find_dead();
  if (gossip_) hear_other_hosts(now);
  const std::int64_t count = mine_->count;
  const bool long_work = long_work_goes_on();
  if (count != seen_count_ || mine_->waiting) busy_since_ = now;
  if (!mine_->waiting) find_whether_late(now);
  if (count != seen_count_ || !mine_->waiting || long_work != seen_long_work_) {
    seen_count_ = count;
    seen_long_work_ = long_work;
    wait_anew(now);
    return;
  }
  if (has_traffic(now)) return wait_anew(now);
  find_late(std::chrono::duration<double>(now - seen_at_).count());
}

void Liveness::wait_anew(Clock::time_point now) {
  seen_at_ = now;
  warned_ = false;
  was_late_seen_ = false;
  mine_->past_limit = false;
}

// This process was stopped for so long, so that it knows nothing of the others then.
void Liveness::forget(Clock::duration stopped) {
  seen_at_ += stopped;
  busy_since_ = Clock::now();  // it may go on at once
  for (Beat& beat : beats_) beat.at += stopped;
  if (gossip_) gossip_->forget(stopped);
}

// As the node's first rank, for all of it.
void Liveness::hear_other_hosts(Clock::time_point now) {
  const std::uint64_t traffic = traffic_here();
  if (std::exchange(told_traffic_, traffic) != traffic) gossip_->tell_progress();
  gossip_->tell_whether_alarmed(std::any_of(
      notes_.begin(), notes_.end(), [](const Note* note) { return note->past_limit.load(); }));
  gossip_->exchange(now, as_duration(std::min(kGossipSeconds, hard_seconds_ / 16)));
  mine_->alarm = gossip_->is_alarmed();
  mine_->progress = gossip_->progress();
  copy_text(mine_->silent_host, gossip_->silent_for(stands_still_after(), now).c_str());
}

std::uint64_t Liveness::traffic_here() const {
  std::uint64_t traffic = 0;
  for (const Note* note : notes_) traffic += note->traffic;
  return traffic;
}

// Whether something has come or gone on some node since it was told last. What the systems
// still carry for one that stands still does not count.
bool Liveness::has_traffic(Clock::time_point now) {
  const double waited_seconds = std::chrono::duration<double>(now - seen_at_).count();
  if (waited_seconds >= std::min(kShortWaitSeconds, hard_seconds_ / 4)) {
    mine_->traffic = tcp_traffic_bytes();
  }
  const std::uint64_t traffic = traffic_here();
  const std::uint64_t progress = notes_[0]->progress;
  const bool is_new = traffic != seen_traffic_ || progress != seen_progress_;
  seen_traffic_ = traffic;
  seen_progress_ = progress;
  return is_new && !is_any_still();
}

Liveness::Clock::duration Liveness::stands_still_after() const {
  return as_duration(hard_seconds_ / 4);
}

bool Liveness::is_any_still() const {
  const auto now = Clock::now();
  for (std::size_t i = 0; i < notes_.size(); ++i) {
    if (!notes_[i]->gone && now - beats_[i].at > stands_still_after()) return true;
  }
  return is_a_host_silent();
}

// At the end of the job hosts leave.
bool Liveness::is_a_host_silent() const {
  return !mine_->gone && notes_[0]->silent_host[0] != '\0';
}

void Liveness::follow_beats() {
  for (std::size_t i = 0; i < notes_.size(); ++i) {
    const std::int64_t beat = notes_[i]->beat;
    if (beat != beats_[i].seen) beats_[i] = {beat, Clock::now()};
  }
}

bool Liveness::is_frozen(std::size_t place) const {
  return Clock::now() - beats_[place].at > kFrozenAfter;
}

bool Liveness::is_late(std::size_t place) const {
  const Note& note = *notes_[place];
  const bool has_left = note.gone && has_ended_here(note);
  return !has_left && (note.count < mine_->count || is_frozen(place));
}

// A process of another container has a number that means nothing here: its beat tells.
bool Liveness::has_ended_here(const Note& note) const {
  return note.numbers == mine_->numbers && has_ended(note.process);
}

// A few peers each time, so that many ranks on a node do not look at each other all day;
// together they see all.
void Liveness::find_dead() {
  for (std::size_t i = 0; i < std::min(notes_.size(), kExaminedAtOnce); ++i) {
    last_examined_ = (last_examined_ + 1) % notes_.size();
    const Note* note = notes_[last_examined_];
    const ::pid_t process = note->process;
    if (note == mine_ || process == 0 || note->gone || !has_ended_here(*note) || note->gone)
      continue;
    end_job(fmt::format("rank {} on {} died (process {}, last seen in: {})", note->rank,
                        note->host.data(), process, note->operation.data()));
  }
}

void Liveness::find_late(double waited_seconds) {
  const double soft = seen_long_work_ ? hard_seconds_ : soft_seconds_;
  const double hard = seen_long_work_ ? long_work_seconds_ : hard_seconds_;
  if (waited_seconds >= soft && !warned_) {
    warned_ = true;
    was_late_seen_ = knows_who_is_late();
    spdlog::warn("waiting for {:.0f} s in: {}; late: {}", waited_seconds, mine_->operation.data(),
                 late_ranks());
  }
  // The one that was late goes on, or is being ended with the job by a peer that has said why.
  if (was_late_seen_ && !knows_who_is_late()) return wait_anew(Clock::now());
  mine_->past_limit = waited_seconds >= hard;
  if (waited_seconds < hard + seconds_for_others_to_speak()) return;
  end_job(fmt::format("waited {:.0f} s in: {}; late: {}", waited_seconds, mine_->operation.data(),
                      late_ranks()));
}

// Ranks of other nodes wait and know of none that is late, and this one does not wait: it is the
// one, and says so itself, for all such ranks of its node. Where another of the node waits or is
// gone, that one says it or has said it.
void Liveness::find_whether_late(Clock::time_point now) {
  const bool is_busy = now - busy_since_ >= as_duration(hard_seconds_ / 2);
  if (!notes_[0]->alarm || !is_busy || mine_->gone) return;
  std::string text;
  for (std::size_t i = 0; i < notes_.size(); ++i) {
    const Note* note = notes_[i];
    const bool speaks = static_cast<int>(i) < place_ && !is_frozen(i);
    if (note->waiting || note->gone || speaks) return;
    text += (text.empty() ? "" : ", ") + described(*note);
  }
  end_job(fmt::format("other hosts have waited too long; late: {}", text));
}

// Who knows which rank is late says it first, then who knows of which host it is.
double Liveness::seconds_for_others_to_speak() const {
  if (is_any_late()) return 0;
  return std::chrono::duration<double>(is_a_host_silent() ? kTimeToEnd : 2 * kTimeToEnd).count();
}

bool Liveness::is_any_late() const {
  for (std::size_t i = 0; i < notes_.size(); ++i) {
    if (is_late(i)) return true;
  }
  return false;
}

bool Liveness::knows_who_is_late() const { return is_any_late() || is_a_host_silent(); }

std::string Liveness::described(const Note& note) {
  return fmt::format("rank {} on {} (process {}, last seen in: {})", note.rank, note.host.data(),
                     note.process.load(), note.operation.data());
}

std::string Liveness::late_ranks() const {
  std::string text;
  for (std::size_t i = 0; i < notes_.size(); ++i) {
    if (!is_late(i)) continue;
    text += (text.empty() ? "" : ", ") + described(*notes_[i]);
  }
  if (!text.empty()) return text;
  if (is_a_host_silent()) {
    return fmt::format("{}, of which nothing is heard any more", notes_[0]->silent_host.data());
  }
  return fmt::format("no rank of this node, so one on {} or the network to it",
                     other_hosts_.empty() ? "another" : other_hosts_);
}

bool Liveness::long_work_goes_on() const {
  if (waits_for_long_work_) return true;
  for (std::size_t i = 0; i < notes_.size(); ++i) {
    if (notes_[i]->long_work && !is_frozen(i)) return true;
  }
  return false;
}

// The first rank that finds the fault says it, and its end ends the others; one that
// is still here after a while says it itself.
void Liveness::end_job(const std::string& message) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(place_); ++i) {
    if (!is_late(i) && !has_ended_here(*notes_[i])) {
      std::this_thread::sleep_for(kTimeToEnd);
      break;
    }
  }
  fmt::print(stderr, "lockstep: {}\n", message);
  std::fflush(nullptr);
  say_last_words(message);
  say_goodbye();  // the cause has been said; this rank's end is not another one
  std::_Exit(static_cast<int>(ExitCode::kPeer));
}

}  // namespace lockstep
