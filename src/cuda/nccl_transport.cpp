#include "cuda/nccl_transport.h"

#include <c10/cuda/CUDAStream.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <thread>

#include "cuda/cuda_error.h"

namespace lockstep {

namespace {

using Clock = std::chrono::steady_clock;

// Of the hard limit, so that all ranks agree on what failed before their watchdogs, which
// watch that too, lose patience.
constexpr double kConnectPart = 0.75;

// Collective: one version everywhere, new enough.
void check_versions(Communicator& comm) {
  const std::vector<int> versions = gather_values(comm, nccl::version());
  for (std::size_t rank = 0; rank < versions.size(); ++rank) {
    if (versions[rank] < nccl::kOldestVersion) {
      throw Error(ExitCode::kUsage,
                  fmt::format("rank {} has NCCL {}; expected 2.18 or newer", rank,
                              nccl::version_text(versions[rank])),
                  Reach::kAgreed);
    }
    if (versions[rank] != versions[0]) {
      throw Error(
          ExitCode::kUsage,
          fmt::format("rank 0 has NCCL {}, rank {} has NCCL {}; expected one version on "
                      "all hosts",
                      nccl::version_text(versions[0]), rank, nccl::version_text(versions[rank])),
          Reach::kAgreed);
    }
  }
}

// Collective.
nccl::UniqueId share_id(Communicator& comm) {
  nccl::UniqueId id{};
  agree(comm, [&] {
    if (comm.rank() != 0) return;
    const nccl::Result result = nccl::api().get_unique_id(&id);
    if (result != nccl::kSuccess) {
      throw Error(ExitCode::kPeer, fmt::format("ncclGetUniqueId failed: {}; {}",
                                               nccl::api().get_error_string(result),
                                               nccl::api().get_last_error(nullptr)));
    }
  });
  return broadcast_value(comm, id, 0);
}

template <typename Part>
std::vector<Part> parts_of(std::span<const Part> parts, int rank) {
  std::vector<Part> found;
  std::copy_if(parts.begin(), parts.end(), std::back_inserter(found),
               [&](const Part& part) { return part.peer == rank; });
  return found;
}

// The parts to oneself, matched in the order in which they are listed.
void copy_own_parts(std::span<const Outgoing> out, std::span<const Incoming> in, int rank,
                    cudaStream_t stream) {
  const std::vector<Outgoing> from = parts_of(out, rank);
  const std::vector<Incoming> to = parts_of(in, rank);
  if (from.size() != to.size()) {
    fail_internal("rank {} sends itself {} parts; expected {}", rank, from.size(), to.size());
  }
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (from[i].data.size() != to[i].data.size()) {
      fail_internal("rank {} sends itself {} bytes; expected {}", rank, from[i].data.size(),
                    to[i].data.size());
    }
    check(cudaMemcpyAsync(to[i].data.data(), from[i].data.data(), from[i].data.size(),
                          cudaMemcpyDeviceToDevice, stream),
          "cudaMemcpyAsync");
  }
}

}  // namespace

NcclTransport::NcclTransport(Communicator& comm, int device, Waiter& waiter)
    : comm_(comm),
      rank_(comm.rank()),
      world_size_(comm.world_size()),
      device_(device),
      waiter_(waiter) {
  if (world_size_ == 1) return;
  agree(comm, [] { nccl::version(); });
  check_versions(comm);
  const nccl::UniqueId id = share_id(comm);
  try {
    agree(comm, [&] { connect(id); });
  } catch (...) {
    abandon();
    throw;
  }
  waiter_.add(*this);
}

NcclTransport::~NcclTransport() {
  if (world_size_ == 1) return;
  try {
    close();
  } catch (const std::exception& error) {
    spdlog::warn("the transport between the GPUs was not closed in order: {}", error.what());
    abandon();
  }
  waiter_.remove(*this);
}

cudaStream_t NcclTransport::stream() const {
  return c10::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(device_)).stream();
}

void NcclTransport::connect(const nccl::UniqueId& id) {
  nccl::Config config;
  config.blocking = 0;
  const nccl::Result result =
      nccl::api().comm_init_rank_config(&nccl_, world_size_, id, rank_, &config);
  settle(result, "ncclCommInitRankConfig", in_seconds(kConnectPart * hard_limit_seconds()));
}

void NcclTransport::exchange(std::span<const Outgoing> out, std::span<const Incoming> in) {
  copy_own_parts(out, in, rank_, stream());
  const auto moves = [&](const auto& part) { return part.peer != rank_ && !part.data.empty(); };
  if (std::none_of(out.begin(), out.end(), moves) && std::none_of(in.begin(), in.end(), moves)) {
    return;
  }
  send_and_receive(out, in);
}

void NcclTransport::send_and_receive(std::span<const Outgoing> out, std::span<const Incoming> in) {
  if (nccl_ == nullptr) fail("exchange", nccl::kSuccess);
  const nccl::Api& api = nccl::api();
  nccl::Result failure = api.group_start();
  const auto note = [&](nccl::Result result) {
    if (result != nccl::kSuccess && result != nccl::kInProgress) failure = result;
  };
  for (const Outgoing& part : out) {
    if (part.peer == rank_ || part.data.empty()) continue;
    note(api.send(part.data.data(), part.data.size(), nccl::kInt8, part.peer, nccl_, stream()));
  }
  for (const Incoming& part : in) {
    if (part.peer == rank_ || part.data.empty()) continue;
    note(api.recv(part.data.data(), part.data.size(), nccl::kInt8, part.peer, nccl_, stream()));
  }
  // The group ends in any case: it is the thread's.
  const nccl::Result ended = api.group_end();
  settle(failure != nccl::kSuccess ? failure : ended, "exchange", in_seconds(hard_limit_seconds()));
}

void NcclTransport::native_sum(std::span<float> values) {
  if (world_size_ == 1) return;
  if (nccl_ == nullptr) fail("native sum", nccl::kSuccess);
  const nccl::Result result = nccl::api().all_reduce(values.data(), values.data(), values.size(),
                                                     nccl::kFloat32, nccl::kSum, nccl_, stream());
  settle(result, "native sum", in_seconds(hard_limit_seconds()));
}

// Enqueueing goes on in a thread of NCCL's; nothing may be enqueued behind it before it is
// done.
void NcclTransport::settle(nccl::Result result, const char* operation, Deadline deadline) {
  while (result == nccl::kInProgress) {
    if (Clock::now() > deadline) fail(operation, result);
    comm_.look_for_fault();
    std::this_thread::yield();
    const nccl::Result status = nccl::api().comm_get_async_error(nccl_, &result);
    if (status != nccl::kSuccess) result = status;
  }
  if (result != nccl::kSuccess) fail(operation, result);
}

void NcclTransport::look() {
  if (nccl_ == nullptr) return;
  comm_.look_for_fault();
  nccl::Result result = nccl::kSuccess;
  const nccl::Result status = nccl::api().comm_get_async_error(nccl_, &result);
  if (status != nccl::kSuccess) result = status;
  if (result != nccl::kSuccess && result != nccl::kInProgress) fail("a step", result);
}

void NcclTransport::fail(const char* operation, nccl::Result result) {
  std::string reason = "an earlier failure";
  if (result == nccl::kInProgress) {
    reason = "no answer from the peers in time";
  } else if (result != nccl::kSuccess) {
    reason = nccl::api().get_error_string(result);
    const char* more = nccl::api().get_last_error(nccl_);
    if (more != nullptr && *more != '\0') reason += fmt::format("; {}", more);
  }
  throw Error(ExitCode::kPeer,
              fmt::format("NCCL between the ranks' GPUs: {} failed: {}", operation, reason));
}

// All peers come here, unless an error ends the job: then nobody may be waited for.
void NcclTransport::close() {
  if (std::uncaught_exceptions() > 0) abandon();
  if (nccl_ == nullptr) return;
  waiter_.wait();
  const Deadline deadline = in_seconds(hard_limit_seconds());
  settle(nccl::api().comm_finalize(nccl_), "ncclCommFinalize", deadline);
  nccl::api().comm_destroy(std::exchange(nccl_, nullptr));
}

void NcclTransport::abandon() noexcept {
  if (nccl_ != nullptr) nccl::api().comm_abort(std::exchange(nccl_, nullptr));
}

}  // namespace lockstep
