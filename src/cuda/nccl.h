// NCCL's C interface as far as it is used here, found in the library that LibTorch has
// loaded: a process must have only one. See NVIDIA's "NCCL API" documentation.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

namespace lockstep {

struct Nccl {
  struct Id {
    char bytes[128];
  };
  // The layout of version 2.14; later versions go by `bytes` and `version`.
  struct Config {
    std::size_t bytes = sizeof(Config);
    unsigned magic = 0xcafebeef;
    unsigned version = 21400;
    int blocking = 0;
    int unused = 0;
  };
  using Comm = void*;

  static constexpr int kSuccess = 0;
  static constexpr int kInProgress = 7;
  static constexpr int kBytes = 0;   // ncclInt8
  static constexpr int kFloats = 7;  // ncclFloat32
  static constexpr int kSum = 0;

  int (*get_version)(int* version);
  int (*get_id)(Id* id);
  int (*init)(Comm* comm, int ranks, Id id, int rank, Config* config);
  int (*get_async_error)(Comm comm, int* status);
  int (*finalize)(Comm comm);
  int (*destroy)(Comm comm);
  int (*abort)(Comm comm);
  int (*group_start)();
  int (*group_end)();
  int (*send)(const void* data, std::size_t count, int type, int peer, Comm comm,
              cudaStream_t stream);
  int (*receive)(void* data, std::size_t count, int type, int peer, Comm comm, cudaStream_t stream);
  int (*all_reduce)(const void* from, void* to, std::size_t count, int type, int operation,
                    Comm comm, cudaStream_t stream);
  const char* (*error)(int status);
  const char* (*last_error)(Comm comm);
};

// Local. Error (1) where LibTorch has loaded none, or one that lacks a function.
const Nccl& nccl();

}  // namespace lockstep
