// The functions of NCCL that are used, declared here: its header is not needed to build,
// and the library is the one that LibTorch has loaded. Its C interface is stable; types
// and values are those of nccl.h 2.28, which every version from 2.18 on understands.
#pragma once

#include <cuda_runtime_api.h>

#include <climits>
#include <cstddef>
#include <string>

namespace lockstep::nccl {

inline constexpr int kOldestVersion = 21800;  // 2.18.0, as ncclGetVersion tells it

using Comm = struct ncclComm*;

struct UniqueId {
  char internal[128];
};

enum Result : int { kSuccess = 0, kInProgress = 7 };
enum DataType : int { kInt8 = 0, kFloat32 = 7 };
enum ReduceOp : int { kSum = 0 };

// ncclConfig_t of 2.28. An older library reads as much of it as it knows.
struct Config {
  std::size_t size = sizeof(Config);
  unsigned magic = 0xcafebeef;
  unsigned version = 22809;
  int blocking = INT_MIN;  // INT_MIN, null: NCCL's choice
  int cga_cluster_size = INT_MIN;
  int min_ctas = INT_MIN;
  int max_ctas = INT_MIN;
  const char* net_name = nullptr;
  int split_share = INT_MIN;
  int traffic_class = INT_MIN;
  const char* comm_name = nullptr;
  int collnet_enable = INT_MIN;
  int cta_policy = INT_MIN;
  int shrink_share = INT_MIN;
  int nvls_ctas = INT_MIN;
  int n_channels_per_net_peer = INT_MIN;
  int nvlink_centric_sched = INT_MIN;
};
static_assert(sizeof(Config) == 80 && offsetof(Config, comm_name) == 48);

struct Api {
  Result (*get_version)(int* version);
  Result (*get_unique_id)(UniqueId* id);
  Result (*comm_init_rank_config)(Comm* comm, int ranks, UniqueId id, int rank, Config* config);
  Result (*comm_get_async_error)(Comm comm, Result* error);
  Result (*comm_finalize)(Comm comm);
  Result (*comm_destroy)(Comm comm);
  Result (*comm_abort)(Comm comm);
  Result (*group_start)();
  Result (*group_end)();
  Result (*send)(const void* data, std::size_t count, DataType type, int peer, Comm comm,
                 cudaStream_t stream);
  Result (*recv)(void* data, std::size_t count, DataType type, int peer, Comm comm,
                 cudaStream_t stream);
  Result (*all_reduce)(const void* from, void* to, std::size_t count, DataType type, ReduceOp op,
                       Comm comm, cudaStream_t stream);
  const char* (*get_error_string)(Result result);
  const char* (*get_last_error)(Comm comm);
};

// Local: loaded at the first call. Error (1) where there is no usable libnccl.so.2.
const Api& api();

// Local: of the loaded library; 21805 is 2.18.5.
int version();
std::string version_text(int version);

}  // namespace lockstep::nccl
