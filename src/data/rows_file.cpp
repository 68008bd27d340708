#include "data/rows_file.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "lockstep/core/error.h"
#include "lockstep/core/text.h"

namespace lockstep {

namespace {

constexpr auto kLastUse = static_cast<std::uint8_t>(RowUse::kTest);

}  // namespace

RowsFile::RowsFile(const fs::path& path, Damaged damaged)
    : name_(path.string()), damaged_(damaged), file_(path) {
  if (damaged == Damaged::kRemoved) use_.emplace(path);
  try {
    check_head();
    const std::span facts = section<char>(head_.layout.facts);
    facts_ = rows_facts_of({facts.data(), facts.size()});
    if (facts_.row_bytes() != head_.sizes.row_bytes) {
      fail_usage("rows of {} bytes; its images take {}", head_.sizes.row_bytes, facts_.row_bytes());
    }
    check_columns();
  } catch (const Error& error) {
    throw error.within(name_);
  }
}

bool RowsFile::recognizes(std::string_view file) {
  return file.starts_with(std::string_view(kRowsMagic.data(), kRowsMagic.size()));
}

void RowsFile::check_head() {
  const std::string_view file = file_.text();
  if (!recognizes(file)) fail_usage("is not a file of rows");
  if (file.size() < kRowsHeadBytes) {
    fail_usage("a file of rows that is cut short: {}; its head alone takes {}",
               count_of(file.size(), "byte"), kRowsHeadBytes);
  }
  std::memcpy(&head_, file.data(), sizeof(head_));
  if (head_.version != kRowsVersion) {
    fail_usage("a file of rows of version {}; expected {}: pack its source anew", head_.version,
               kRowsVersion);
  }
  const auto layout = rows_layout(head_.sizes);
  if (!layout || *layout != head_.layout) fail_usage("the head of this file of rows is damaged");
  if (layout->file_bytes != file.size()) {
    fail_usage("a file of rows of {}; its head says {}", count_of(file.size(), "byte"),
               layout->file_bytes);
  }
  const auto unused = file.substr(sizeof(head_), kRowsHeadBytes - sizeof(head_));
  if (head_.sizes.rows == 0 || head_.sizes.facts_bytes > kMostFactsBytes || head_.unused != 0 ||
      unused.find_first_not_of('\0') != unused.npos) {
    fail_usage("the head of this file of rows is damaged");
  }
  const auto behind = file.substr(static_cast<std::size_t>(layout->pixels.last()));
  if (rows_digest(head_, std::as_bytes(std::span(behind))) != head_.digest) {
    fail_usage("a damaged file of rows: what stands behind the pixels has another digest");
  }
}

// What a digest cannot tell: whether who wrote the file meant it well.
void RowsFile::check_columns() const {
  const auto names = static_cast<std::int64_t>(facts_.label_names.size());
  for (std::int64_t row = 0; const std::int32_t label : labels()) {
    if (names > 0 && (label < 0 || label >= names)) {
      fail_usage("row {} has label {} of {}", row, label, names);
    }
    ++row;
  }
  const auto numbers = section<std::uint8_t>(head_.layout.uses);
  if (std::ranges::any_of(numbers, [](std::uint8_t use) { return use > kLastUse; })) {
    fail_usage("a row is for neither training, validation nor test");
  }
  const auto ends = section<std::uint64_t>(head_.layout.id_ends);
  if (!ends.empty() && (!std::ranges::is_sorted(ends) || ends.back() != head_.sizes.id_bytes)) {
    fail_usage("the ids of its rows do not follow each other");
  }
}

template <typename Value>
std::span<const Value> RowsFile::section(const RowsSection& section) const {
  const char* const first = file_.text().data() + section.first;
  return {reinterpret_cast<const Value*>(first),
          static_cast<std::size_t>(section.bytes) / sizeof(Value)};
}

std::span<const std::int32_t> RowsFile::labels() const {
  return section<std::int32_t>(head_.layout.labels);
}

std::span<const RowUse> RowsFile::uses() const { return section<RowUse>(head_.layout.uses); }

std::string_view RowsFile::id(std::int64_t row) const {
  const auto ends = section<std::uint64_t>(head_.layout.id_ends);
  const auto at = static_cast<std::size_t>(row);
  const auto first = static_cast<std::size_t>(row == 0 ? 0 : ends[at - 1]);
  return {section<char>(head_.layout.ids).data() + first,
          static_cast<std::size_t>(ends[at]) - first};
}

std::span<const Digest> RowsFile::digests() const { return section<Digest>(head_.layout.digests); }

std::span<const std::byte> RowsFile::pixel_bytes() const {
  return section<std::byte>(head_.layout.pixels);
}

std::span<const std::byte> RowsFile::pixels(std::int64_t row) const {
  const auto at = static_cast<std::size_t>(row);
  const auto pixels = pixel_bytes().subspan(at * row_bytes(), row_bytes());
  if (digest_of(pixels) == digests()[at]) return pixels;
  const bool removed = damaged_ == Damaged::kRemoved && ::unlink(name_.c_str()) == 0;
  fail_usage("{}: the pixels of row {} are not those that were written: the file is damaged{}",
             name_, row, removed ? "; it is removed, and made anew by the next start" : "");
}

}  // namespace lockstep
