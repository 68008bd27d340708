#include "data/rows_writer.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "lockstep/core/error.h"
#include "lockstep/core/text.h"

namespace lockstep {

namespace {

// Texts, each behind its length, and back: names may hold any byte.
std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) {
    const std::uint64_t bytes = text.size();
    all.append(reinterpret_cast<const char*>(&bytes), sizeof(bytes)).append(text);
  }
  return all;
}

void take_apart(std::string_view all, std::set<std::string>& texts) {
  while (!all.empty()) {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, all.data(), sizeof(bytes));
    texts.emplace(all.substr(sizeof(bytes), static_cast<std::size_t>(bytes)));
    all.remove_prefix(sizeof(bytes) + static_cast<std::size_t>(bytes));
  }
}

std::size_t bytes_of(std::span<const std::string> texts) {
  std::size_t bytes = 0;
  for (const std::string& text : texts) bytes += text.size();
  return bytes;
}

void check_all_or_none(const fs::path& path, const char* what, std::int64_t have,
                       std::int64_t rows) {
  if (have == 0 || have == rows) return;
  throw Error(ExitCode::kUsage,
              fmt::format("{}: {} of {} rows have {}; expected all or none", path.string(), have,
                          rows, what),
              Reach::kAgreed);
}

}  // namespace

RowsWriter::RowsWriter(Communicator& comm, const fs::path& path, RowsFacts facts, Synced synced)
    : comm_(comm), path_(path), facts_(std::move(facts)), synced_(synced) {
  agree(comm_, [&] {
    if (comm_.rank() == 0) file_.emplace(PlacedFile::create(path_));
  });
  const std::string temporary = broadcast_text(comm_, file_ ? file_->temporary().string() : "", 0);
  agree(comm_, [&] {
    if (comm_.rank() != 0) file_.emplace(PlacedFile::join(path_, temporary));
  });
}

void RowsWriter::add(const FileRows& rows) {
  const bool whole_sizes =
      rows.count == 0 || (rows.type == facts_.type && rows.row_bytes() == facts_.row_bytes());
  agree(comm_, [&] {
    if (!whole_sizes)
      fail_internal("rows of {} bytes; expected {}", rows.row_bytes(), facts_.row_bytes());
  });
  const auto size = [](const auto& column) { return static_cast<std::int64_t>(column.size()); };
  std::vector<std::int64_t> mine = {rows.count, size(rows.labels), size(rows.uses), size(rows.ids),
                                    static_cast<std::int64_t>(bytes_of(rows.ids))};
  const std::vector<std::int64_t> before = exclusive_scan(comm_, mine);
  parts_.push_back({before_.rows + before[0], before_.id_bytes + before[4],
                    static_cast<std::size_t>(rows.count), static_cast<std::size_t>(mine[4]),
                    !rows.label_names.empty()});
  comm_.sum(mine);
  before_ = {before_.rows + mine[0], before_.labels + mine[1], before_.uses + mine[2],
             before_.ids + mine[3], before_.id_bytes + mine[4]};
  comm_.begin_long_work("writing rows", kEachRank);
  agree(comm_, [&] {
    keep(rows);
    const auto row_bytes = facts_.row_bytes();
    file_->write(kRowsHeadBytes + static_cast<std::uint64_t>(parts_.back().first_row) * row_bytes,
                 {reinterpret_cast<const std::byte*>(rows.pixels.data()),
                  static_cast<std::size_t>(rows.count) * static_cast<std::size_t>(row_bytes)});
  });
}

std::int32_t RowsWriter::number_of(const std::string& name) {
  const auto [at, added] =
      number_of_name_.try_emplace(name, static_cast<std::int32_t>(names_.size()));
  if (added) names_.push_back(name);
  return at->second;
}

void RowsWriter::keep(const FileRows& rows) {
  std::vector<std::int32_t> numbers;
  for (const std::string& name : rows.label_names) numbers.push_back(number_of(name));
  for (const std::int32_t label : rows.labels) {
    labels_.push_back(numbers.empty() ? label : numbers.at(static_cast<std::size_t>(label)));
  }
  uses_.insert(uses_.end(), rows.uses.begin(), rows.uses.end());
  digests_.insert(digests_.end(), rows.digests.begin(), rows.digests.end());
  auto end = static_cast<std::uint64_t>(parts_.back().first_id_byte);
  for (const std::string& id : rows.ids) {
    id_ends_.push_back(end += id.size());
    ids_ += id;
  }
}

// Numbers of one part beside texts of another are texts too.
void RowsWriter::name_numbers() {
  std::size_t row = 0;
  for (Part& part : parts_) {
    for (std::size_t i = row; !part.has_names && i < std::min(row + part.rows, labels_.size());
         ++i) {
      labels_[i] = number_of(std::to_string(labels_[i]));
    }
    part.has_names = true;
    row += part.rows;
  }
}

// From here on labels_ are indexes of facts_.label_names, or numbers where there are none.
void RowsWriter::name_labels() {
  std::int64_t names = static_cast<std::int64_t>(names_.size());
  comm_.sum(std::span(&names, 1));
  if (names > 0) name_numbers();
  std::set<std::string> all;
  for (const std::string& each : gather_texts(comm_, joined(names_))) take_apart(each, all);
  facts_.label_names.assign(all.begin(), all.end());
  std::vector<std::int32_t> index_of;
  for (const std::string& name : names_) {
    const auto found = std::ranges::lower_bound(facts_.label_names, name);
    index_of.push_back(static_cast<std::int32_t>(found - facts_.label_names.begin()));
  }
  if (index_of.empty()) return;
  for (std::int32_t& label : labels_) label = index_of[static_cast<std::size_t>(label)];
}

void RowsWriter::write_columns(const RowsLayout& layout) {
  std::size_t row = 0;
  std::size_t id_byte = 0;
  for (const Part& part : parts_) {
    const auto write = [&](const RowsSection& section, const auto& column) {
      using Value = typename std::decay_t<decltype(column)>::value_type;
      if (section.bytes == 0) return;
      const std::span values(column.data() + row, part.rows);
      file_->write(section.first + static_cast<std::uint64_t>(part.first_row) * sizeof(Value),
                   std::as_bytes(values));
    };
    write(layout.labels, labels_);
    write(layout.uses, uses_);
    write(layout.id_ends, id_ends_);
    write(layout.digests, digests_);
    file_->write(layout.ids.first + static_cast<std::uint64_t>(part.first_id_byte),
                 std::as_bytes(std::span(ids_.data() + id_byte, part.id_bytes)));
    row += part.rows;
    id_byte += part.id_bytes;
  }
}

// Rank 0, when all others have written.
void RowsWriter::write_head(const RowsHead& head) {
  RowsHead whole = head;
  {
    const MappedFile written(file_->temporary());
    const std::string_view text = written.text();
    if (text.size() != head.layout.file_bytes) {
      fail_internal("{}: {} written; expected {}", path_.string(), count_of(text.size(), "byte"),
                    head.layout.file_bytes);
    }
    const auto behind = text.substr(static_cast<std::size_t>(head.layout.pixels.last()));
    whole.digest = rows_digest(head, std::as_bytes(std::span(behind)));
  }
  file_->write(0, std::as_bytes(std::span(&whole, 1)));
  file_->close(synced_);
  file_->publish(synced_);
}

void RowsWriter::finish(const ValueRange& range) {
  facts_.range = range;
  const std::int64_t rows = before_.rows;
  if (rows == 0) {
    throw Error(ExitCode::kUsage, fmt::format("{}: no row to write", path_.string()),
                Reach::kAgreed);
  }
  check_all_or_none(path_, "labels", before_.labels, rows);
  check_all_or_none(path_, "uses", before_.uses, rows);
  check_all_or_none(path_, "ids", before_.ids, rows);
  name_labels();
  RowsHead head;
  std::string facts;
  agree(comm_, [&] {
    facts = to_json(facts_);
    if (facts.size() > kMostFactsBytes)
      fail_usage("{}: too many or too long names of labels", path_.string());
    head.sizes = {static_cast<std::uint64_t>(rows),
                  facts_.row_bytes(),
                  facts.size(),
                  static_cast<std::uint64_t>(before_.id_bytes),
                  before_.labels > 0 ? 1u : 0u,
                  before_.uses > 0 ? 1u : 0u,
                  before_.ids > 0 ? 1u : 0u};
    head.layout = rows_layout(head.sizes).value();
    write_columns(head.layout);
    if (comm_.rank() != 0) return file_->close(synced_);
    file_->write(head.layout.facts.first, std::as_bytes(std::span(facts)));
  });
  comm_.begin_long_work("writing rows", 0);
  agree(comm_, [&] {
    if (comm_.rank() == 0) write_head(head);
  });
}

}  // namespace lockstep
