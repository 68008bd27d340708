#include "lockstep/core/digest.h"

#include <fmt/format.h>
#include <xxhash.h>

#include "lockstep/core/error.h"

namespace lockstep {

namespace {

Digest from_hash(XXH128_hash_t hash) { return {hash.high64, hash.low64}; }

}  // namespace

std::string Digest::hex() const { return fmt::format("{:016x}{:016x}", high, low); }

Digest digest_of(std::span<const std::byte> data) {
  return from_hash(XXH3_128bits(data.data(), data.size()));
}

Digest digest_of(std::string_view text) { return digest_of(std::as_bytes(std::span(text))); }

struct DigestStream::State {
  XXH3_state_t* hash = XXH3_createState();
  ~State() { XXH3_freeState(hash); }
};

DigestStream::DigestStream() : state_(std::make_unique<State>()) {
  if (state_->hash == nullptr) fail_internal("no memory for a digest");
  XXH3_128bits_reset(state_->hash);
}

DigestStream::~DigestStream() = default;

void DigestStream::add(std::span<const std::byte> data) {
  XXH3_128bits_update(state_->hash, data.data(), data.size());
}

Digest DigestStream::digest() const { return from_hash(XXH3_128bits_digest(state_->hash)); }

}  // namespace lockstep
