#include "run/name_map.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <numeric>

namespace lockstep {

namespace {

constexpr int kFirstBlock = 4;    // after convolution, norm, activation and pooling
constexpr int kLayersOfPart = 3;  // of a block: convolution, norm, activation

// Of each of its four stages.
using Blocks = std::array<int, 4>;

Blocks blocks_of(NameMap map) {
  switch (map) {
    case NameMap::kNone:
      break;
    case NameMap::kResnet18:
      return {2, 2, 2, 2};
    case NameMap::kResnet34:
    case NameMap::kResnet50:
      return {3, 4, 6, 3};
  }
  return {};
}

// Takes `word` off the beginning of a text.
bool take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

// Takes a number and the dot behind it off the beginning; -1 without.
int take_number(std::string_view& text) {
  int number = -1;
  const char* const end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, number);
  if (problem != std::errc() || stop == end || *stop != '.') return -1;
  text.remove_prefix(static_cast<std::size_t>(stop + 1 - text.data()));
  return number;
}

// "conv2.weight" of a block, or "downsample.0.weight", as its layers are called here.
std::optional<std::string> name_in_block(std::string_view name) {
  if (take(name, "downsample.0.")) return fmt::format("shortcut.0.conv.{}", name);
  if (take(name, "downsample.1.")) return fmt::format("shortcut.1.batch_norm.{}", name);
  const bool is_conv = take(name, "conv");
  if (!is_conv && !take(name, "bn")) return std::nullopt;
  const int part = take_number(name);
  if (part < 1) return std::nullopt;
  const int conv = kLayersOfPart * (part - 1);
  return is_conv ? fmt::format("{}.conv.{}", conv, name)
                 : fmt::format("{}.batch_norm.{}", conv + 1, name);
}

}  // namespace

std::optional<std::string> mapped_name(NameMap map, std::string_view name, std::string_view head) {
  if (map == NameMap::kNone) return std::nullopt;
  if (take(name, "conv1.")) return fmt::format("0.conv.{}", name);
  if (take(name, "bn1.")) return fmt::format("1.batch_norm.{}", name);
  if (take(name, "fc.")) return fmt::format("{}.{}", head, name);
  if (!take(name, "layer")) return std::nullopt;
  const Blocks blocks = blocks_of(map);
  const int stage = take_number(name);
  if (stage < 1 || stage > static_cast<int>(blocks.size())) return std::nullopt;
  const int block = take_number(name);
  if (block < 0 || block >= blocks[static_cast<std::size_t>(stage - 1)]) return std::nullopt;
  const auto inner = name_in_block(name);
  if (!inner) return std::nullopt;
  const int before = std::accumulate(blocks.begin(), blocks.begin() + (stage - 1), 0);
  return fmt::format("{}.residual.{}", kFirstBlock + before + block, *inner);
}

}  // namespace lockstep
