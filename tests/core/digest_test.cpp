#include "lockstep/core/digest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace lockstep {
namespace {

std::vector<std::byte> sample(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((i * 131 + 7) % 256);
  return bytes;
}

// By Python's xxhash.xxh3_128_hexdigest; sizes on both sides of XXH3's own limits.
const std::vector<std::pair<std::size_t, const char*>> kKnown = {
    {0, "99aa06d3014798d86001c324468d497f"},   {1, "495b62073ef70ca44c5cca45d0f4811f"},
    {17, "66fc23f6439dbd778d96ef110fcdebb4"},  {129, "98cd36ccbb5579264545b3a09738e31a"},
    {240, "5293e17bf553903d3f2c53e72293711f"}, {241, "b53840fe3fedf161956cae592c67279e"},
    {997, "c2db4dbbf0a7d2c950421d8f70b146d0"}, {100003, "6f6fc5c14d9fa2bad0a8e7c7a03ad008"}};

TEST(Digest, IsTheCanonicalXxh3) {
  for (const auto& [size, hex] : kKnown) EXPECT_EQ(digest_of(sample(size)).hex(), hex) << size;
}

TEST(Digest, OfTextIsThatOfItsBytes) {
  const std::string text = "pixel784";
  EXPECT_EQ(digest_of(text), digest_of(std::as_bytes(std::span(text))));
  EXPECT_NE(digest_of(text), digest_of("pixel783"));
}

TEST(Digest, StreamOfAnyPiecesIsThatOfTheWhole) {
  for (const auto& [size, hex] : kKnown) {
    const std::vector<std::byte> data = sample(size);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{63}, std::size_t{4096}}) {
      DigestStream stream;
      stream.add({});
      for (std::size_t at = 0; at < size; at += piece) {
        stream.add(std::span(data).subspan(at, std::min(piece, size - at)));
      }
      EXPECT_EQ(stream.digest().hex(), hex) << size << " in pieces of " << piece;
    }
  }
}

}  // namespace
}  // namespace lockstep
