// Memory shared by the processes of a node: an anonymous file (memfd) that the
// peers open through /proc and map. It needs no place in /dev/shm, leaves nothing
// behind when a process dies, and going away needs no collective call.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lockstep/comm/communicator.h"

namespace lockstep {

// One process's part, while it is handed to the others.
class NodeMemory {
 public:
  struct Address {
    ::pid_t process;
    int descriptor;
    std::uint64_t bytes;
  };

  explicit NodeMemory(std::size_t bytes);
  ~NodeMemory();
  NodeMemory(const NodeMemory&) = delete;
  NodeMemory& operator=(const NodeMemory&) = delete;

  Address address() const;

 private:
  int descriptor_;
  std::size_t bytes_;
};

// The parts of all processes of the node, mapped here.
class NodeWindow final : public SharedWindow {
 public:
  explicit NodeWindow(std::span<const NodeMemory::Address> addresses);
  ~NodeWindow() override;

  std::span<std::byte> part(int place) const override {
    return parts_[static_cast<std::size_t>(place)];
  }

 private:
  std::vector<std::span<std::byte>> parts_;  // by place on the node
};

}  // namespace lockstep
