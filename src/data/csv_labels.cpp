#include "data/csv_labels.h"

#include <algorithm>
#include <unordered_set>

#include "data/csv_sample.h"
#include "data/csv_text.h"
#include "lockstep/core/error.h"
#include "lockstep/core/text.h"

namespace lockstep {

namespace {

std::vector<std::string_view> lines_of(const SourceText& source) {
  const CsvContent content = csv_content(source.text(), source.name());
  const std::string_view text = content.text.substr(0, content.last);
  std::vector<std::string_view> lines;
  for (std::size_t at = 0; at < text.size();) {
    lines.push_back(csv_line_at(text, at));
    at = std::min(text.find('\n', at), text.size() - 1) + 1;
  }
  return lines;
}

std::string place(const std::string& name, std::size_t line) {
  return fmt::format("{}:{}:1", name, line);
}

}  // namespace

CsvLabels::CsvLabels(const SourceText& source, LabelKind kind, std::int64_t rows)
    : name_(source.name()) {
  std::vector<std::string_view> lines = lines_of(source);
  separator_ = sample_csv(csv_content(source.text(), name_), name_, "", Extent::kUsual).separator;
  find_columns(lines, rows);
  read_lines(lines, kind);
}

// A first line more than there are rows is a header. Of two columns, the ids are all distinct.
void CsvLabels::find_columns(std::vector<std::string_view>& lines, std::int64_t rows) {
  std::vector<std::string_view> fields;
  split_csv_line(lines.front(), separator_, fields);
  const std::size_t width = fields.size();
  if (width > 2) {
    fail_usage("{}: {} columns; expected labels, or ids and labels", place(name_, 1), width);
  }
  const auto count = static_cast<std::int64_t>(lines.size());
  if (count != rows && count != rows + 1) {
    fail_usage("{}: {}; expected {}, as there are rows", name_, count_of(count, "line"), rows);
  }
  const bool header = count == rows + 1;
  if (header) lines.erase(lines.begin());
  if (width == 1) return;
  std::unordered_set<std::string_view> distinct[2];
  for (const std::string_view line : lines) {
    split_csv_line(line, separator_, fields);
    for (std::size_t i = 0; i < std::min(fields.size(), width); ++i) {
      distinct[i].insert(bare_field(fields[i]));
    }
  }
  const bool first = distinct[0].size() == lines.size();
  if (first == (distinct[1].size() == lines.size())) {
    fail_usage(
        "{}: {} of its two columns are all distinct; expected ids in one, labels in the "
        "other",
        name_, first ? "both" : "none");
  }
  id_column_ = first ? 0 : 1;
  label_column_ = first ? 1 : 0;
}

void CsvLabels::read_lines(const std::vector<std::string_view>& lines, LabelKind kind) {
  const std::size_t width = id_column_ < 0 ? 1 : 2;
  std::vector<std::string_view> fields;
  bool whole = true;
  std::int64_t first_id = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    split_csv_line(lines[i], separator_, fields);
    if (fields.size() != width) {
      fail_usage("{}: {} in {}; expected {}", name_, count_of(fields.size(), "column"),
                 shown_field(lines[i]), width);
    }
    const std::string_view label = fields[static_cast<std::size_t>(label_column_)];
    if (bare_field(label).empty() || quoting_of(label) == Quoting::kTorn) {
      fail_usage("{}: no label in {}; expected one", name_, shown_field(lines[i]));
    }
    whole = whole && whole_number_of(bare_field(label));
    labels_.push_back(label);
    if (id_column_ < 0) continue;
    const std::string id = field_text(fields[static_cast<std::size_t>(id_column_)]);
    const auto number = whole_number_of(id);
    if (i == 0) first_id = number.value_or(0);
    ids_count_ = ids_count_ && number && *number == first_id + static_cast<std::int64_t>(i);
    places_.emplace(id, i);
  }
  kind_ = whole && kind != LabelKind::kText ? LabelKind::kNumber : LabelKind::kText;
}

void CsvLabels::join(FileRows& rows, std::int64_t first, const std::string& name) const {
  const bool by_id = !places_.empty() && !rows.ids.empty();
  if (!places_.empty() && !by_id && !ids_count_ && rows.count > 0) {
    fail_usage("{}: has ids, but the rows of {} have none; expected their column in data.csv.id",
               name_, name);
  }
  std::unordered_map<std::string, std::int32_t> indexes;
  for (std::int64_t i = 0; i < rows.count; ++i) {
    auto place = static_cast<std::size_t>(first + i);
    if (by_id) {
      const std::string& id = rows.ids[static_cast<std::size_t>(i)];
      const auto found = places_.find(id);
      if (found == places_.end()) {
        fail_usage("{}: row {} has the id {}, which has no label in {}", name, first + i,
                   shown_field(id), name_);
      }
      place = found->second;
    }
    const std::string_view label = labels_[place];
    if (kind_ == LabelKind::kNumber) {
      rows.labels.push_back(*whole_number_of(bare_field(label)));
      continue;
    }
    const auto next = static_cast<std::int32_t>(indexes.size());
    const auto [entry, is_new] = indexes.emplace(field_text(label), next);
    if (is_new) rows.label_names.push_back(entry->first);
    rows.labels.push_back(entry->second);
  }
  rows.labelled = true;
}

}  // namespace lockstep
