#include "comm/node_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <random>

#include "lockstep/core/error.h"

namespace lockstep {

namespace {

constexpr const char* kFolder = "/dev/shm";

[[noreturn]] void fail_memory(const char* operation, std::size_t bytes, int error) {
  const char* advice =
      error == ENOSPC || error == EDQUOT
          ? "; a container needs a larger /dev/shm (--shm-size) or the PIDs of its "
            "host (--pid=host)"
          : "";
  fail_internal("{} bytes of memory shared by the ranks of this node: {} failed: {}{}", bytes,
                operation, std::strerror(error), advice);
}

std::string path_of(const NodeMemory::Address& address, MemoryAccess access) {
  return access == MemoryAccess::kProc
             ? fmt::format("/proc/{}/fd/{}", address.process, address.descriptor)
             : fmt::format("{}/{}", kFolder, address.name);
}

std::span<std::byte> map(const NodeMemory::Address& address, MemoryAccess access) {
  const auto bytes = static_cast<std::size_t>(address.bytes);
  if (bytes == 0) return {};
  // What /proc has is a link.
  const int no_link = access == MemoryAccess::kFile ? O_NOFOLLOW : 0;
  const int descriptor = ::open(path_of(address, access).c_str(), O_RDWR | O_CLOEXEC | no_link);
  if (descriptor < 0) fail_memory("open", bytes, errno);
  struct ::stat found {};
  const bool is_right = ::fstat(descriptor, &found) == 0 && found.st_dev == address.device &&
                        found.st_ino == address.inode;
  void* start = is_right ? ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
                         : MAP_FAILED;
  const int error = is_right ? errno : ENOENT;
  ::close(descriptor);
  if (start == MAP_FAILED) fail_memory(is_right ? "mmap" : "finding it", bytes, error);
  return {static_cast<std::byte*>(start), bytes};
}

}  // namespace

// A file in memory that is not there is reserved at once: later a write to it would kill. It has no
// name meanwhile, so that a process that is killed leaves nothing.
NodeMemory::NodeMemory(std::size_t bytes, MemoryAccess access) {
  address_.process = ::getpid();
  address_.bytes = bytes;
  address_.descriptor = access == MemoryAccess::kProc
                            ? ::memfd_create("lockstep", MFD_CLOEXEC)
                            : ::open(kFolder, O_RDWR | O_TMPFILE | O_CLOEXEC, S_IRUSR | S_IWUSR);
  const auto size = static_cast<::off_t>(bytes);
  struct ::stat made {};
  int error = address_.descriptor < 0 ? errno : 0;
  if (error == 0 && ::ftruncate(address_.descriptor, size) != 0) error = errno;
  if (error == 0 && access == MemoryAccess::kFile && size > 0) {
    do {
      error = ::posix_fallocate(address_.descriptor, 0, size);
    } while (error == EINTR);
  }
  if (error == 0 && ::fstat(address_.descriptor, &made) != 0) error = errno;
  if (error != 0) {
    release();
    fail_memory("reserving it", bytes, error);
  }
  address_.device = made.st_dev;
  address_.inode = made.st_ino;
}

void NodeMemory::name_file() {
  const std::string name = fmt::format("lockstep-{}-{:08x}", ::getpid(), std::random_device()());
  const std::string own = fmt::format("/proc/self/fd/{}", address_.descriptor);
  if (::linkat(AT_FDCWD, own.c_str(), AT_FDCWD, fmt::format("{}/{}", kFolder, name).c_str(),
               AT_SYMLINK_FOLLOW) != 0) {
    fail_memory("naming it", address_.bytes, errno);
  }
  name.copy(address_.name, sizeof(address_.name) - 1);
}

NodeMemory::~NodeMemory() { release(); }

void NodeMemory::release() {
  if (address_.descriptor < 0) return;
  ::close(address_.descriptor);
  if (address_.name[0] != '\0') ::unlink(path_of(address_, MemoryAccess::kFile).c_str());
}

NodeWindow::NodeWindow(std::span<const NodeMemory::Address> addresses, MemoryAccess access) {
  for (const NodeMemory::Address& address : addresses) parts_.push_back(map(address, access));
}

NodeWindow::~NodeWindow() {
  for (const std::span<std::byte> part : parts_) {
    if (!part.empty()) ::munmap(part.data(), part.size());
  }
}

}  // namespace lockstep
