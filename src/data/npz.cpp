// NumPy's archives of arrays, .npz: a zip of .npy files, stored or deflated. Which arrays are the
// images and labels is said by data.arrays, or by the names that are usual.

#include <algorithm>
#include <array>

#include "data/array_source.h"
#include "data/source_format.h"
#include "data/zip_member.h"
#include "lockstep/core/error.h"
#include "lockstep/core/names.h"
#include "lockstep/core/text.h"

namespace lockstep {

namespace {

constexpr std::string_view kEnding = ".npy";
constexpr std::size_t kMostArrays = 256;

// Told apart by the images and labels that are there, in any case of letters.
const std::array kUsualNames = {
    ArrayOptions{"train_images", "train_labels", "val_images", "val_labels", "test_images",
                 "test_labels"},
    ArrayOptions{"x_train", "y_train", "x_val", "y_val", "x_test", "y_test"},
    ArrayOptions{"train_x", "train_y", "val_x", "val_y", "test_x", "test_y"},
    ArrayOptions{"images", "labels", "", "", "", ""},
    ArrayOptions{"data", "labels", "", "", "", ""},
    ArrayOptions{"data", "target", "", "", "", ""},
    ArrayOptions{"x", "y", "", "", "", ""},
    ArrayOptions{"arr_0", "arr_1", "", "", "", ""},
};

// The names of the arrays of a zip archive, which are all that is in it; empty for another one.
std::vector<std::string> arrays_of(const std::string& path) {
  std::vector<std::string> arrays;
  for (const std::string& member : members_of_zip(path)) {
    if (!member.ends_with(kEnding)) return {};
    arrays.push_back(member.substr(0, member.size() - kEnding.size()));
  }
  return arrays;
}

bool is_npz(const SourceProbe& probe) {
  return !probe.is_folder && probe.source.member.empty() && probe.head.starts_with("PK\x03\x04") &&
         !arrays_of(probe.source.path).empty();
}

class NpzSource : public ArraySource {
 public:
  // Collective.
  NpzSource(Communicator& comm, const SourceOptions& source);

  const std::string& name() const override { return name_; }
  std::uint64_t bytes() const override {
    std::uint64_t bytes = 0;
    for (const SourceText& text : texts_) bytes += text.text().size();
    return bytes;
  }
  std::uint64_t packed_bytes() const override {
    std::uint64_t bytes = 0;
    for (const SourceText& text : texts_) bytes += text.packed_bytes();
    return bytes;
  }

 private:
  Choice choose(const DataOptions& options, Labels labels) const override;
  ArrayOptions names_in(const ArrayOptions& said) const;
  std::string found_name(const std::string& name) const;
  NpyArray array(const std::string& name) const;
  std::optional<ArraySplit> split(RowUse use, const std::string& images,
                                  const std::string& labels) const;

  std::string name_;
  std::vector<std::string> names_;
  std::vector<SourceText> texts_;         // by names_
  std::optional<SourceText> label_text_;  // of a file of their own
};

NpzSource::NpzSource(Communicator& comm, const SourceOptions& source) : name_(source.path) {
  std::string label_member;
  agree(comm, [&] {
    names_ = arrays_of(source.path);
    if (names_.size() > kMostArrays) {
      fail_usage("{}: {} arrays; expected at most {}", name_, names_.size(), kMostArrays);
    }
    if (source.labels.empty() || !MappedFile(source.labels).text().starts_with("PK\x03\x04"))
      return;
    const std::vector<std::string> members = arrays_of(source.labels);
    if (members.size() != 1) {
      fail_usage("{}: {} arrays; expected that of the labels alone", source.labels, members.size());
    }
    label_member = members[0] + std::string(kEnding);
  });
  for (const std::string& each : names_) {
    texts_.emplace_back(comm, source.path, each + std::string(kEnding));
  }
  if (!source.labels.empty()) label_text_.emplace(comm, source.labels, label_member);
}

// The array of that name, in any case of letters where that is one; empty if there is none.
std::string NpzSource::found_name(const std::string& name) const {
  if (name.empty() || std::ranges::find(names_, name) != names_.end()) return name;
  const auto alike = [&](const std::string& each) { return lower_case(each) == lower_case(name); };
  const auto found = std::ranges::find_if(names_, alike);
  return std::ranges::count_if(names_, alike) == 1 ? *found : "";
}

NpyArray NpzSource::array(const std::string& name) const {
  const auto found = std::ranges::find(names_, name);
  if (found == names_.end()) {
    fail_usage("{}: has no array \"{}\"{}; its arrays: {}", name_, name, did_you_mean(name, names_),
               fmt::join(names_, ", "));
  }
  const SourceText& text = texts_[static_cast<std::size_t>(found - names_.begin())];
  return parse_npy(text.text(), text.name());
}

// What `said` leaves empty, by the usual names. Those of which both images and labels are there
// count, or else those of the images.
ArrayOptions NpzSource::names_in(const ArrayOptions& said) const {
  std::vector<ArrayOptions> labelled;
  std::vector<ArrayOptions> unlabelled;
  for (ArrayOptions usual : kUsualNames) {
    for (std::string* name : {&usual.images, &usual.labels, &usual.validation_images,
                              &usual.validation_labels, &usual.test_images, &usual.test_labels}) {
      *name = found_name(*name);
    }
    if (usual.images.empty()) continue;
    (usual.labels.empty() ? unlabelled : labelled).push_back(usual);
  }
  // By the same images, without labels, several rows of the table say the same.
  const auto same = [](const auto& a, const auto& b) { return a.images == b.images; };
  unlabelled.erase(std::unique(unlabelled.begin(), unlabelled.end(), same), unlabelled.end());
  std::vector<ArrayOptions>& fitting = labelled.empty() ? unlabelled : labelled;
  if (fitting.empty() && names_.size() == 1) fitting.emplace_back().images = names_[0];
  if (fitting.size() != 1) {
    fail_usage(
        "{}: {}; expected the names of those of images and labels in data.arrays; its "
        "arrays: {}",
        name_, fitting.empty() ? "no arrays of the usual names" : "arrays of several usual names",
        fmt::join(names_, ", "));
  }
  ArrayOptions names = fitting[0];
  const auto override_by = [](std::string& name, const std::string& other) {
    if (!other.empty()) name = other;
  };
  override_by(names.labels, said.labels);
  override_by(names.validation_images, said.validation_images);
  override_by(names.validation_labels, said.validation_labels);
  override_by(names.test_images, said.test_images);
  override_by(names.test_labels, said.test_labels);
  return names;
}

std::optional<ArraySplit> NpzSource::split(RowUse use, const std::string& images,
                                           const std::string& labels) const {
  if (images.empty()) return {};
  ArraySplit split;
  split.use = use;
  split.images = array(images);
  if (!labels.empty()) split.labels = array(labels);
  return split;
}

ArraySource::Choice NpzSource::choose(const DataOptions& options, Labels labels) const {
  Choice choice{{}, options, ""};
  ArrayOptions& names = choice.options.arrays;
  // What is read without need of labels may be another file than that of which the names are.
  const bool absent = std::ranges::find(names_, names.images) == names_.end();
  if (names.images.empty()) {
    names = names_in(names);
  } else if (absent && labels == Labels::kOptional) {
    names = names_in({});
  }
  ArraySplit training = *split(RowUse::kTraining, names.images, label_text_ ? "" : names.labels);
  if (label_text_) training.labels = parse_npy(label_text_->text(), label_text_->name());
  if (!training.labels && labels == Labels::kRequired) {
    fail_usage(
        "{}: no labels beside the array \"{}\"; expected their name in data.arrays.labels; "
        "its arrays: {}",
        name_, names.images, fmt::join(names_, ", "));
  }
  choice.found = fmt::format("array {} of {}", names.images, training.images.shape_text());
  if (training.labels && !label_text_) choice.found += ", labels " + names.labels;
  choice.splits.push_back(std::move(training));
  const auto add = [&](RowUse use, const std::string& images, const std::string& of_labels,
                       const char* what) {
    std::optional<ArraySplit> more = split(use, images, of_labels);
    if (!more) return;
    const bool labelled = choice.splits[0].labels.has_value();
    choice.found += fmt::format(", {} rows {}", what, images);
    if (labelled && !more->labels) {
      choice.found += " left out for want of labels";
      return;
    }
    if (!labelled) more->labels.reset();
    choice.splits.push_back(std::move(*more));
  };
  add(RowUse::kValidation, names.validation_images, names.validation_labels, "validation");
  add(RowUse::kTest, names.test_images, names.test_labels, "test");
  return choice;
}

}  // namespace

const FileFormat kNpz = {
    .recognizes = is_npz,
    .open = [](Communicator& comm, const SourceOptions& source) -> std::unique_ptr<Source> {
      return std::make_unique<NpzSource>(comm, source);
    }};

}  // namespace lockstep
