#include "cuda/nccl_connection.h"

#include <chrono>
#include <cstdlib>
#include <set>
#include <thread>

#include "lockstep/core/error.h"

namespace lockstep {

namespace {

constexpr int kOldestVersion = 21800;
constexpr double kUsualLimitSeconds = 60;

using Clock = std::chrono::steady_clock;

double hard_limit_seconds() {
  const char* text = std::getenv("LOCKSTEP_HARD_LIMIT_SECONDS");
  const double seconds = text != nullptr ? std::atof(text) : 0;
  return seconds > 0 ? seconds : kUsualLimitSeconds;
}

void check_versions(Communicator& comm) {
  int mine = 0;
  agree(comm, [&] { nccl().get_version(&mine); });
  for (const int version : gather_values(comm, mine)) {
    if (version == mine && version >= kOldestVersion) continue;
    throw Error(ExitCode::kUsage,
                fmt::format("ranks have NCCL {} and {}; expected one version, at least {}", mine,
                            version, kOldestVersion));
  }
}

}  // namespace

NcclConnection::NcclConnection(Communicator& comm) {
  check_versions(comm);
  Nccl::Id id{};
  agree(comm, [&] {
    if (comm.rank() == 0) check(nccl().get_id(&id), "NCCL's search for a network");
  });
  comm.broadcast(std::as_writable_bytes(std::span(&id, 1)), 0);
  comm.begin_long_work("connecting the GPUs", 0);
  agree(comm, [&] {
    Nccl::Config config;
    const int status = nccl().init(&comm_, comm.world_size(), id, comm.rank(), &config);
    if (status != Nccl::kSuccess && status != Nccl::kInProgress) fail(status, "NCCL's start");
    wait_until_ready("NCCL's start", hard_limit_seconds());
  });
}

NcclConnection::~NcclConnection() {
  if (comm_ == nullptr) return;
  int status = nccl().finalize(comm_);
  while (status == Nccl::kInProgress) {
    std::this_thread::yield();
    if (nccl().get_async_error(comm_, &status) != Nccl::kSuccess) break;
  }
  nccl().destroy(comm_);
}

void NcclConnection::wait_until_ready(const char* operation, double limit_seconds) {
  const auto begin = Clock::now();
  for (int status = Nccl::kInProgress; status != Nccl::kSuccess; std::this_thread::yield()) {
    const int asked = nccl().get_async_error(comm_, &status);
    if (asked != Nccl::kSuccess) fail(asked, operation);
    if (status != Nccl::kSuccess && status != Nccl::kInProgress) fail(status, operation);
    if (std::chrono::duration<double>(Clock::now() - begin).count() > limit_seconds) {
      fail(Nccl::kInProgress, operation);
    }
  }
}

void NcclConnection::check() {
  if (comm_ == nullptr) return;
  int status = Nccl::kSuccess;
  const int asked = nccl().get_async_error(comm_, &status);
  if (asked != Nccl::kSuccess) fail(asked, "the GPUs' network");
  if (status != Nccl::kSuccess && status != Nccl::kInProgress) fail(status, "the GPUs' network");
}

void NcclConnection::check(int status, const char* operation) {
  if (status == Nccl::kSuccess) return;
  if (status != Nccl::kInProgress) fail(status, operation);
  wait_until_ready(operation, hard_limit_seconds());
}

// An abort lets go of what the GPU still waits for; the error then ends the job on all
// ranks.
void NcclConnection::fail(int status, const char* operation) {
  const char* text =
      status == Nccl::kInProgress ? "no answer within the limit" : nccl().error(status);
  const std::string more = comm_ != nullptr ? nccl().last_error(comm_) : "";
  if (comm_ != nullptr) nccl().abort(comm_);
  comm_ = nullptr;
  throw Error(ExitCode::kPeer, fmt::format("{} failed: {}{}{}", operation, text,
                                           more.empty() ? "" : "; NCCL says: ", more));
}

}  // namespace lockstep
