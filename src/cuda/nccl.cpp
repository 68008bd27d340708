#include "cuda/nccl.h"

#include <dlfcn.h>

#include "lockstep/core/error.h"

namespace lockstep {

namespace {

template <typename Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  if (function == nullptr) fail_internal("NCCL has no {}; expected 2.18 or newer", name);
}

Nccl load_nccl() {
  void* library = ::dlopen("libnccl.so.2", RTLD_NOW | RTLD_NOLOAD);
  if (library == nullptr) fail_internal("LibTorch has not loaded NCCL (libnccl.so.2)");
  Nccl nccl;
  find(library, "ncclGetVersion", nccl.get_version);
  find(library, "ncclGetUniqueId", nccl.get_id);
  find(library, "ncclCommInitRankConfig", nccl.init);
  find(library, "ncclCommGetAsyncError", nccl.get_async_error);
  find(library, "ncclCommFinalize", nccl.finalize);
  find(library, "ncclCommDestroy", nccl.destroy);
  find(library, "ncclCommAbort", nccl.abort);
  find(library, "ncclGroupStart", nccl.group_start);
  find(library, "ncclGroupEnd", nccl.group_end);
  find(library, "ncclSend", nccl.send);
  find(library, "ncclRecv", nccl.receive);
  find(library, "ncclAllReduce", nccl.all_reduce);
  find(library, "ncclGetErrorString", nccl.error);
  find(library, "ncclGetLastError", nccl.last_error);
  return nccl;
}

}  // namespace

const Nccl& nccl() {
  static const Nccl loaded = load_nccl();
  return loaded;
}

}  // namespace lockstep
