#include "data/class_labels.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <unordered_map>

#include "lockstep/core/error.h"
#include "lockstep/core/names.h"
#include "lockstep/core/text.h"

namespace lockstep {

namespace {

constexpr std::size_t kMostNamed = 5;  // labels in a message

// How often each label comes in all ranks, and where first in this one's.
struct LabelCount {
  std::int64_t rows = 0;
  std::int64_t first_index = -1;
};
using LabelCounts = std::map<std::string, LabelCount>;

std::optional<std::int32_t> whole_number(const std::string& text) {
  std::int32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return std::to_string(value) == text ? std::optional(value) : std::nullopt;
}

// By `relabel`, "FROM=TO".
std::unordered_map<std::string, std::string> renamings_of(const DataOptions& options) {
  std::unordered_map<std::string, std::string> renamings;
  for (const std::string& pair : options.relabel) {
    const std::size_t equals = pair.find('=');
    renamings.emplace(pair.substr(0, equals), pair.substr(equals + 1));
  }
  return renamings;
}

// From the rows' labels to texts as indexes of label_names; more than are allowed stay numbers,
// of which no classes can be made.
void name_labels(FileRows& rows, const DataOptions& options) {
  if (rows.label_names.empty()) {
    std::unordered_map<std::int32_t, std::int32_t> index_of;
    for (std::int32_t& label : rows.labels) {
      const auto next = static_cast<std::int32_t>(index_of.size());
      const auto [found, is_new] = index_of.emplace(label, next);
      if (is_new) rows.label_names.push_back(std::to_string(label));
      label = found->second;
    }
  }
  const auto renamings = renamings_of(options);
  for (std::string& name : rows.label_names) {
    const auto found = renamings.find(name);
    if (found != renamings.end()) name = found->second;
  }
}

// Collective. The labels of all ranks.
LabelCounts count_labels(Communicator& comm, const FileRows& rows) {
  std::vector<LabelCount> own(rows.label_names.size());
  for (std::int64_t i = 0; i < rows.count; ++i) {
    LabelCount& count = own[static_cast<std::size_t>(rows.labels[static_cast<std::size_t>(i)])];
    if (count.rows++ == 0) count.first_index = i;
  }
  std::string mine;
  LabelCounts counts;
  for (std::size_t k = 0; k < own.size(); ++k) {
    if (own[k].rows == 0) continue;
    mine += fmt::format("{}\n{}\n", own[k].rows, rows.label_names[k]);
    const auto [entry, is_new] = counts.emplace(rows.label_names[k], own[k]);
    if (!is_new)
      entry->second.first_index = std::min(entry->second.first_index, own[k].first_index);
    entry->second.rows = 0;
  }
  for (const std::string& text : gather_texts(comm, mine)) {
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t number_end = text.find('\n', at);
      const std::size_t name_end = text.find('\n', number_end + 1);
      counts[text.substr(number_end + 1, name_end - number_end - 1)].rows +=
          std::stoll(text.substr(at, number_end - at));
      at = name_end + 1;
    }
  }
  return counts;
}

std::string list_of(const std::vector<std::string>& labels) {
  std::string text;
  for (std::size_t i = 0; i < std::min(labels.size(), kMostNamed); ++i) {
    text += fmt::format("{}\"{}\"", i == 0 ? "" : ", ", printable(labels[i]));
  }
  return labels.size() > kMostNamed ? text + ", ..." : text;
}

// The first row with the label, on the rank that has one; where the label is wrong, with what
// would be right.
class LabelFault {
 public:
  LabelFault(Communicator& comm, const LabelCounts& counts,
             const std::function<std::string(std::int64_t)>& place_of)
      : comm_(comm), counts_(counts), place_of_(place_of) {}

  [[noreturn]] void fail(const std::string& label, const std::string& expected) const {
    agree(comm_, [&] {
      const std::int64_t index = counts_.at(label).first_index;
      if (index < 0) return;
      fail_usage("{}: \"{}\" {}", place_of_(index), printable(label), expected);
    });
    fail_internal("label \"{}\" of no row", label);
  }

 private:
  Communicator& comm_;
  const LabelCounts& counts_;
  const std::function<std::string(std::int64_t)>& place_of_;
};

std::vector<std::string> names_of(const LabelCounts& counts) {
  std::vector<std::string> names;
  for (const auto& [name, count] : counts) names.push_back(name);
  return names;
}

// In numeric order where all are numbers, else in alphabetic order.
std::vector<std::string> ordered(std::vector<std::string> names) {
  const auto is_number = [](const std::string& name) { return whole_number(name).has_value(); };
  if (std::all_of(names.begin(), names.end(), is_number)) {
    std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
      return *whole_number(a) < *whole_number(b);
    });
  }
  return names;
}

// A label that is no number from 0 on; there is one.
[[noreturn]] void fail_outside(const LabelCounts& counts, const DataOptions& options,
                               const LabelFault& fault) {
  for (const auto& [name, count] : counts) {
    const std::optional<std::int32_t> number = whole_number(name);
    if (number && *number >= 0 && *number < options.classes) continue;
    fault.fail(name,
               fmt::format("is {}; expected a label from 0 to {}",
                           number ? "out of range" : "not a whole number", options.classes - 1));
  }
  fail_internal("labels refused without a fault");
}

// Labels that just count the classes: from 0, gaps being classes without rows.
bool count_classes(const LabelCounts& counts, int classes) {
  return std::all_of(counts.begin(), counts.end(), [&](const auto& entry) {
    const std::optional<std::int32_t> number = whole_number(entry.first);
    return number && *number >= 0 && *number < classes;
  });
}

// The labels of the classes in order, where they are not given. Of too many the rarest is
// the one that is wrong.
std::vector<std::string> find_labels(const LabelCounts& counts, const DataOptions& options,
                                     const LabelFault& fault) {
  std::vector<std::string> names = ordered(names_of(counts));
  const auto classes = static_cast<std::size_t>(options.classes);
  const std::set<std::string> known(options.class_names.begin(), options.class_names.end());
  const bool are_class_names = std::all_of(names.begin(), names.end(),
                                           [&](const auto& name) { return known.contains(name); });
  if (are_class_names) return options.class_names;
  if (names.size() == classes) return names;
  const auto is_number = [](const std::string& name) { return whole_number(name).has_value(); };
  const auto numbers = std::count_if(names.begin(), names.end(), is_number);
  if (numbers == std::ssize(names) && whole_number(names.front()) != 0 && names.size() > classes) {
    const auto rarest = std::min_element(names.rbegin(), names.rend(), [&](auto& a, auto& b) {
      return counts.at(a).rows < counts.at(b).rows;
    });
    fault.fail(*rarest, fmt::format("is one of {} that do not begin at 0: {}; expected {}, as "
                                    "data.classes says",
                                    count_of(names.size(), "label"), list_of(names), classes));
  }
  if (2 * numbers > std::ssize(names)) fail_outside(counts, options, fault);
  fault.fail(names.back(),
             fmt::format("is one of {}: {}; expected data.classes = {} of them",
                         count_of(names.size(), "label"), list_of(names), options.classes));
}

}  // namespace

void settle_classes(Communicator& comm, FileRows& rows, DataOptions& options, Classes classes,
                    const std::function<std::string(std::int64_t index)>& place_of) {
  if (!rows.labelled) return;
  // The common case, without a text a label.
  const bool plain = rows.label_names.empty() && options.labels.empty() &&
                     options.relabel.empty() && options.classes > 0 &&
                     std::all_of(rows.labels.begin(), rows.labels.end(), [&](std::int32_t label) {
                       return label >= 0 && label < options.classes;
                     });
  std::int64_t others = plain ? 0 : 1;
  comm.sum(std::span(&others, 1));
  if (others == 0) return;
  name_labels(rows, options);
  const LabelCounts counts = count_labels(comm, rows);
  const LabelFault fault(comm, counts, place_of);
  if (counts.empty()) return;
  if (options.classes == 0) options.classes = static_cast<int>(counts.size());
  const bool numbered = options.labels.empty() && count_classes(counts, options.classes);
  if (!numbered && options.labels.empty()) {
    if (classes == Classes::kKnown) fail_outside(counts, options, fault);
    options.labels = find_labels(counts, options, fault);
    if (options.class_names.empty()) options.class_names = options.labels;
  }
  std::unordered_map<std::string, std::int32_t> class_of;
  for (const std::string& label : options.labels) {
    class_of.emplace(label, static_cast<std::int32_t>(class_of.size()));
  }
  for (const auto& [label, count] : counts) {
    if (numbered || class_of.contains(label)) continue;
    fault.fail(label, fmt::format("is no label of the {}{}; expected one of {}",
                                  count_of(options.labels.size(), "class", "classes"),
                                  did_you_mean(label, options.labels), list_of(options.labels)));
  }
  std::vector<std::int32_t> by_name;
  for (const std::string& name : rows.label_names) {
    by_name.push_back(numbered ? *whole_number(name) : class_of.at(name));
  }
  for (std::int32_t& label : rows.labels) label = by_name[static_cast<std::size_t>(label)];
  rows.label_names.clear();
}

}  // namespace lockstep
