#include "comm/node_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "lockstep/core/error.h"

namespace lockstep {

namespace {

[[noreturn]] void fail_memory(const char* operation, std::size_t bytes) {
  const int error = errno;
  fail_internal("{} bytes of memory shared by the ranks of this node: {} failed: {}", bytes,
                operation, std::strerror(error));
}

std::span<std::byte> map(const NodeMemory::Address& address) {
  const auto bytes = static_cast<std::size_t>(address.bytes);
  if (bytes == 0) return {};
  const std::string path = fmt::format("/proc/{}/fd/{}", address.process, address.descriptor);
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0) fail_memory("open", bytes);
  void* start = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  ::close(descriptor);
  if (start == MAP_FAILED) fail_memory("mmap", bytes);
  return {static_cast<std::byte*>(start), bytes};
}

}  // namespace

NodeMemory::NodeMemory(std::size_t bytes)
    : descriptor_(::memfd_create("lockstep", MFD_CLOEXEC)), bytes_(bytes) {
  if (descriptor_ < 0) fail_memory("memfd_create", bytes);
  if (::ftruncate(descriptor_, static_cast<::off_t>(bytes)) != 0) fail_memory("ftruncate", bytes);
}

NodeMemory::~NodeMemory() { ::close(descriptor_); }

NodeMemory::Address NodeMemory::address() const { return {::getpid(), descriptor_, bytes_}; }

NodeWindow::NodeWindow(std::span<const NodeMemory::Address> addresses) {
  for (const NodeMemory::Address& address : addresses) parts_.push_back(map(address));
}

NodeWindow::~NodeWindow() {
  for (const std::span<std::byte> part : parts_) {
    if (!part.empty()) ::munmap(part.data(), part.size());
  }
}

}  // namespace lockstep
