// XXH3-128 digests, of weights, experiments, files. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace lockstep {

struct Digest {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  // 32 lower-case hex digits, the canonical (big-endian) form of XXH3-128.
  std::string hex() const;
  bool operator==(const Digest&) const = default;
};

Digest digest_of(std::span<const std::byte> data);
Digest digest_of(std::string_view text);

// A digest of data that comes in pieces: equal to digest_of(all of it).
class DigestStream {
 public:
  DigestStream();
  ~DigestStream();
  DigestStream(const DigestStream&) = delete;
  DigestStream& operator=(const DigestStream&) = delete;

  void add(std::span<const std::byte> data);
  Digest digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lockstep
