// Memory shared by the processes of a node, by one of two ways: an anonymous file (memfd) that
// the peers open through /proc, which needs no place in /dev/shm and leaves nothing behind when
// a process dies; or, where processes do not see each other there, as in containers, a file in
// /dev/shm that has a name only while they open it. Going away needs no collective call.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lockstep/comm/communicator.h"

namespace lockstep {

enum class MemoryAccess { kProc, kFile };

// One process's part, while it is handed to the others.
class NodeMemory {
 public:
  struct Address {
    ::pid_t process;
    int descriptor;
    char name[48];  // of the file
    // Another process may have the number that this one has in its own container.
    ::dev_t device;
    ::ino_t inode;
    std::uint64_t bytes;
  };

  // Error (1) where the memory cannot be had.
  NodeMemory(std::size_t bytes, MemoryAccess access);
  ~NodeMemory();
  NodeMemory(const NodeMemory&) = delete;
  NodeMemory& operator=(const NodeMemory&) = delete;

  // Of kFile: until it goes away others find it. Error (1) where that cannot be.
  void name_file();

  const Address& address() const { return address_; }

 private:
  void release();

  Address address_{};
};

// The parts of all processes of the node, mapped here.
class NodeWindow final : public SharedWindow {
 public:
  // Error (1) where one cannot be opened.
  NodeWindow(std::span<const NodeMemory::Address> addresses, MemoryAccess access);
  ~NodeWindow() override;

  std::span<std::byte> part(int place) const override {
    return parts_[static_cast<std::size_t>(place)];
  }

 private:
  std::vector<std::span<std::byte>> parts_;  // by place on the node
};

}  // namespace lockstep
