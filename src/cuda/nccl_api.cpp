#include "cuda/nccl_api.h"

#include <dlfcn.h>

#include "lockstep/core/error.h"

namespace lockstep::nccl {

namespace {

void* open_library() {
  // LibTorch's own, which lies outside the loader's folders, is found by its name once
  // it is loaded.
  void* library = ::dlopen("libnccl.so.2", RTLD_NOW);
  if (library == nullptr) fail_internal("could not load libnccl.so.2: {}", ::dlerror());
  return library;
}

template <typename Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  if (function == nullptr) fail_internal("libnccl.so.2 has no {}; expected 2.18 or newer", name);
}

Api load() {
  void* library = open_library();
  Api api{};
  find(library, "ncclGetVersion", api.get_version);
  find(library, "ncclGetUniqueId", api.get_unique_id);
  find(library, "ncclCommInitRankConfig", api.comm_init_rank_config);
  find(library, "ncclCommGetAsyncError", api.comm_get_async_error);
  find(library, "ncclCommFinalize", api.comm_finalize);
  find(library, "ncclCommDestroy", api.comm_destroy);
  find(library, "ncclCommAbort", api.comm_abort);
  find(library, "ncclGroupStart", api.group_start);
  find(library, "ncclGroupEnd", api.group_end);
  find(library, "ncclSend", api.send);
  find(library, "ncclRecv", api.recv);
  find(library, "ncclAllReduce", api.all_reduce);
  find(library, "ncclGetErrorString", api.get_error_string);
  find(library, "ncclGetLastError", api.get_last_error);
  return api;
}

}  // namespace

const Api& api() {
  static const Api loaded = load();
  return loaded;
}

int version() {
  int version = 0;
  const Result result = api().get_version(&version);
  if (result != kSuccess) {
    fail_internal("ncclGetVersion failed: {}", api().get_error_string(result));
  }
  return version;
}

std::string version_text(int version) {
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

}  // namespace lockstep::nccl
