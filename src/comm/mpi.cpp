// The ranks of an MPI world. MPI's C interface, its errors turned into Error.

#include <mpi.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <optional>
#include <set>
#include <thread>

#include "comm/host_gossip.h"
#include "comm/liveness.h"
#include "comm/mpi_calls.h"
#include "comm/node_sharing.h"
#include "comm/other_launchers.h"
#include "comm/own_container.h"
#include "comm/start_limit.h"
#include "lockstep/comm/communicator.h"
#include "lockstep/core/error.h"
#include "lockstep/core/host.h"

namespace lockstep {

namespace {

constexpr int kExchangeTag = 7;
constexpr int kFaultTag = 8;
constexpr int kFirstStandingTag = 16;  // MPI promises tags up to 32,767
constexpr auto kFaultPatience = std::chrono::seconds(5);
constexpr std::size_t kMostHostsNamed = 8;

// While it lives, the watchdogs know that this rank waits for others. Within another one
// it says nothing new.
class Wait {
 public:
  Wait(Liveness& liveness, const char* operation)
      : liveness_(liveness), outermost_(!liveness.is_waiting()) {
    if (outermost_) liveness_.begin_wait(operation);
  }
  ~Wait() {
    if (outermost_) liveness_.end_wait();
  }
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;

 private:
  Liveness& liveness_;
  bool outermost_;
};

// Of the hosts but this one, the first ones of many.
std::string names_of_others(const std::vector<HostCard>& hosts) {
  std::set<std::string> others;
  for (const HostCard& host : hosts) others.insert(host.host.data());
  others.erase(host_name().substr(0, sizeof(HostCard::host) - 1));
  std::string text;
  std::size_t named = 0;
  for (const std::string& host : others) {
    if (++named > kMostHostsNamed) return text + " or another host";
    text += (text.empty() ? "" : ", ") + host;
  }
  if (text.empty() && hosts.size() > 1) return "another container of this host";
  return text;
}

// Sums over ranks in place, in parts that MPI can count.
template <typename T>
void all_reduce(std::span<T> values, MPI_Datatype type) {
  constexpr std::size_t kMostValues = kMaxPartBytes / sizeof(T);
  while (!values.empty()) {
    const std::span<T> part = values.first(std::min(values.size(), kMostValues));
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, part.data(), static_cast<int>(part.size()), type, MPI_SUM,
                            MPI_COMM_WORLD),
              "MPI_Allreduce");
    values = values.subspan(part.size());
  }
}

class MpiCommunicator final : public Communicator {
 public:
  MpiCommunicator() {
    const StartLimit limit;
    int provided = 0;
    check_mpi(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    check_mpi(MPI_Comm_rank(MPI_COMM_WORLD, &rank_), "MPI_Comm_rank");
    check_mpi(MPI_Comm_size(MPI_COMM_WORLD, &world_size_), "MPI_Comm_size");
    check_mpi(
        MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &node_),
        "MPI_Comm_split_type");
    check_mpi(MPI_Comm_rank(node_, &node_place_), "MPI_Comm_rank");
    check_mpi(MPI_Comm_size(node_, &node_size_), "MPI_Comm_size");
    sharing_ = std::make_unique<NodeSharing>(node_, rank_);
    check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &faults_), "MPI_Comm_dup");
    auto gossip = sharing_->place() == 0 ? std::make_unique<HostGossip>() : nullptr;
    const std::vector<HostCard> hosts = meet_hosts(gossip.get());
    if (hosts.size() == 1) gossip.reset();
    liveness_ = std::make_unique<Liveness>(
        sharing_->share(Liveness::note_bytes()), static_cast<int>(sharing_->ranks().size()),
        sharing_->place(), rank_, names_of_others(hosts), std::move(gossip));
  }

  ~MpiCommunicator() override {
    const Wait wait(*liveness_, "the end");  // MPI_Finalize waits for all too
    MPI_Barrier(MPI_COMM_WORLD);
    liveness_->say_goodbye();
    sharing_.reset();
    MPI_Comm_free(&faults_);
    MPI_Comm_free(&node_);
    MPI_Finalize();
  }

  int rank() const override { return rank_; }
  int world_size() const override { return world_size_; }
  int node_place() const override { return node_place_; }
  int node_size() const override { return node_size_; }
  const std::vector<int>& sharing_ranks() const override { return sharing_->ranks(); }

  void barrier() override {
    const Wait wait(*liveness_, "barrier");
    check_mpi(MPI_Barrier(MPI_COMM_WORLD), "MPI_Barrier");
  }

  void broadcast(std::span<std::byte> data, int root) override {
    const Wait wait(*liveness_, "broadcast");
    while (!data.empty()) {
      const std::size_t part = std::min(data.size(), kMaxPartBytes);
      check_mpi(MPI_Bcast(data.data(), static_cast<int>(part), MPI_BYTE, root, MPI_COMM_WORLD),
                "MPI_Bcast");
      data = data.subspan(part);
    }
  }

  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) override {
    if (mine.size() > kMaxPartBytes) {
      fail_internal("all_gather: {} bytes a rank, at most {}", mine.size(), kMaxPartBytes);
    }
    const Wait wait(*liveness_, "all-gather");
    const int bytes = static_cast<int>(mine.size());
    check_mpi(
        MPI_Allgather(mine.data(), bytes, MPI_BYTE, all.data(), bytes, MPI_BYTE, MPI_COMM_WORLD),
        "MPI_Allgather");
  }

  std::vector<std::vector<std::byte>> all_to_all(
      std::vector<std::vector<std::byte>> to_peers) override;
  void exchange(std::span<const Outgoing> out, std::span<const Incoming> in) override;
  std::unique_ptr<StandingExchange> prepare(std::span<const Outgoing> out,
                                            std::span<const Incoming> in, int tag) override {
    if (tag < 0 || tag >= kMostTags) fail_internal("a standing exchange has tag {}", tag);
    return std::make_unique<MpiStandingExchange>(out, in, kFirstStandingTag + tag);
  }

  void native_sum(std::span<float> values) override {
    const Wait wait(*liveness_, "native sum");
    all_reduce(values, MPI_FLOAT);
  }

  void sum(std::span<std::int64_t> values) override {
    const Wait wait(*liveness_, "sum");
    all_reduce(values, MPI_INT64_T);
  }

  std::unique_ptr<SharedWindow> share(std::size_t bytes) override {
    const Wait wait(*liveness_, "sharing memory");
    return sharing_->share(bytes);
  }

  void begin_wait(const char* operation) override { liveness_->begin_wait(operation); }
  void end_wait() override { liveness_->end_wait(); }
  void begin_long_work(const char* operation, int rank) override {
    if (rank == rank_ || rank == kEachRank) liveness_->begin_long_work(operation);
    if (rank != rank_) liveness_->expect_long_work(rank);
  }

  void look_for_fault() override;
  Error agree_on_fault(const Error& mine) override;

  [[noreturn]] void abort(int status) override {
    liveness_->say_goodbye();
    MPI_Abort(MPI_COMM_WORLD, status);
    std::_Exit(status);
  }

 private:
  std::vector<HostCard> meet_hosts(HostGossip* gossip) const;
  bool meet_after_fault();

  int rank_ = 0;
  int world_size_ = 1;
  MPI_Comm faults_ = MPI_COMM_NULL;  // all ranks, apart from what else they do
  bool heard_of_fault_ = false;      // of a peer
  MPI_Comm node_ = MPI_COMM_NULL;
  int node_place_ = 0;
  int node_size_ = 1;
  std::unique_ptr<NodeSharing> sharing_;
  std::unique_ptr<Liveness> liveness_;
};

// Collective: the cards of all hosts; `gossip` is for the ranks that speak for theirs.
std::vector<HostCard> MpiCommunicator::meet_hosts(HostGossip* gossip) const {
  const HostCard mine = gossip != nullptr ? gossip->card() : HostCard{};
  std::vector<HostCard> cards(static_cast<std::size_t>(world_size_));
  check_mpi(MPI_Allgather(&mine, sizeof(mine), MPI_BYTE, cards.data(), sizeof(mine), MPI_BYTE,
                          MPI_COMM_WORLD),
            "MPI_Allgather");
  const auto speaks = [](const HostCard& card) { return card.speaks; };
  const auto place = std::count_if(cards.begin(), cards.begin() + rank_, speaks);
  std::erase_if(cards, std::not_fn(speaks));
  if (gossip != nullptr) gossip->meet(cards, static_cast<std::size_t>(place));
  return cards;
}

std::vector<std::vector<std::byte>> MpiCommunicator::all_to_all(
    std::vector<std::vector<std::byte>> to_peers) {
  const Wait wait(*liveness_, "all-to-all");
  const auto world = static_cast<std::size_t>(world_size_);
  std::vector<std::uint64_t> out_bytes(world);
  std::vector<std::uint64_t> in_bytes(world);
  for (std::size_t peer = 0; peer < world; ++peer) out_bytes[peer] = to_peers[peer].size();
  check_mpi(MPI_Alltoall(out_bytes.data(), 1, MPI_UINT64_T, in_bytes.data(), 1, MPI_UINT64_T,
                         MPI_COMM_WORLD),
            "MPI_Alltoall");
  std::vector<std::vector<std::byte>> received(world);
  std::vector<Outgoing> out;
  std::vector<Incoming> in;
  for (std::size_t peer = 0; peer < world; ++peer) {
    if (static_cast<int>(peer) == rank_) {
      received[peer] = std::move(to_peers[peer]);
      continue;
    }
    received[peer].resize(in_bytes[peer]);
    if (!to_peers[peer].empty()) out.push_back({static_cast<int>(peer), to_peers[peer]});
    if (!received[peer].empty()) in.push_back({static_cast<int>(peer), received[peer]});
  }
  exchange(out, in);
  return received;
}

void MpiCommunicator::exchange(std::span<const Outgoing> out, std::span<const Incoming> in) {
  const Wait wait(*liveness_, "exchange");
  std::vector<MPI_Request> requests;
  for_countable(in, requests, [](auto* data, int bytes, int peer, MPI_Request* request) {
    check_mpi(MPI_Irecv(data, bytes, MPI_BYTE, peer, kExchangeTag, MPI_COMM_WORLD, request),
              "MPI_Irecv");
  });
  for_countable(out, requests, [](auto* data, int bytes, int peer, MPI_Request* request) {
    check_mpi(MPI_Isend(data, bytes, MPI_BYTE, peer, kExchangeTag, MPI_COMM_WORLD, request),
              "MPI_Isend");
  });
  check_mpi(MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE),
            "MPI_Waitall");
}

void MpiCommunicator::look_for_fault() {
  int found = 0;
  MPI_Status status;
  check_mpi(MPI_Iprobe(MPI_ANY_SOURCE, kFaultTag, faults_, &found, &status), "MPI_Iprobe");
  if (found == 0) return;
  heard_of_fault_ = true;
  throw Error(ExitCode::kPeer, fmt::format("rank {} met a fault", status.MPI_SOURCE));
}

// Whether all ranks have come here in time.
bool MpiCommunicator::meet_after_fault() {
  const auto deadline = std::chrono::steady_clock::now() + kFaultPatience;
  MPI_Request met = MPI_REQUEST_NULL;
  check_mpi(MPI_Ibarrier(faults_, &met), "MPI_Ibarrier");
  for (;;) {
    const bool is_late = std::chrono::steady_clock::now() > deadline;
    int done = 0;
    check_mpi(MPI_Test(&met, &done, MPI_STATUS_IGNORE), "MPI_Test");
    if (done != 0 || is_late) return done != 0;
    std::this_thread::yield();
  }
}

Error MpiCommunicator::agree_on_fault(const Error& mine) {
  const Wait wait(*liveness_, "agreement on a fault");
  const bool own = !heard_of_fault_;
  std::vector<MPI_Request> requests;
  const auto tell = [&](int peer) {
    check_mpi(MPI_Isend(nullptr, 0, MPI_BYTE, peer, kFaultTag, faults_, &requests.emplace_back()),
              "MPI_Isend");
  };
  const auto listen = [&](int peer) {
    check_mpi(MPI_Irecv(nullptr, 0, MPI_BYTE, peer, kFaultTag, faults_, &requests.emplace_back()),
              "MPI_Irecv");
  };
  for (int peer = 0; own && peer < world_size_; ++peer) {
    if (peer != rank_) tell(peer);
  }
  if (!meet_after_fault()) return mine;
  const std::vector<char> told = gather_values(*this, static_cast<char>(own));
  for (int peer = 0; peer < world_size_; ++peer) {
    if (peer != rank_ && told[static_cast<std::size_t>(peer)] != 0) listen(peer);
  }
  check_mpi(MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE),
            "MPI_Waitall");
  heard_of_fault_ = false;
  return first_error(*this, own ? std::optional(mine) : std::nullopt).value_or(mine);
}

struct MpiSetting {
  const char* variable;
  const char* value;
};

// The rounds of a sum between nodes move on between the pieces of the ranks' work alone, so a
// message over TCP should go without asking the receiver first, which would wait there twice, and a
// larger one all at once when the receiver is ready, not in parts that each wait for the last
// (Open MPI's "put").
constexpr MpiSetting kMpiSettings[] = {{"OMPI_MCA_btl_tcp_eager_limit", "524288"},
                                       {"OMPI_MCA_btl_tcp_flags", "send,inplace"}};

// Nobody watches yet: a rank that fails here ends the job itself.
std::unique_ptr<Communicator> connect_mpi() {
  for (const MpiSetting& each : kMpiSettings) {
    ::setenv(each.variable, each.value, /*overwrite=*/0);
  }
  // Open MPI's transport in shared memory takes a peer of the same process number for itself, as
  // ranks that are number 1 of their containers are, and crashes.
  if (is_in_own_container()) ::setenv("OMPI_MCA_btl", "^vader", /*overwrite=*/0);
  try {
    return std::make_unique<MpiCommunicator>();
  } catch (const Error& error) {
    int started = 0;
    MPI_Initialized(&started);
    if (started == 0) throw;
    fmt::print(stderr, "lockstep: {}\n", error.what());
    std::fflush(nullptr);
    MPI_Abort(MPI_COMM_WORLD, static_cast<int>(error.code()));
    std::abort();
  }
}

bool started_with(const char* variable) { return std::getenv(variable) != nullptr; }

}  // namespace

std::unique_ptr<Communicator> connect() {
  // Open MPI's mpirun and PMIx-capable launchers announce themselves; without
  // either a process is alone and need not pay for MPI_Init.
  const bool mpi = started_with("OMPI_COMM_WORLD_SIZE") || started_with("PMIX_RANK");
  if (mpi) return connect_mpi();
  refuse_other_launchers();
  return connect_self();
}

}  // namespace lockstep
