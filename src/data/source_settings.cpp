#include "data/source_settings.h"

#include <charconv>
#include <type_traits>
#include <vector>

#include "lockstep/core/error.h"

namespace lockstep {

namespace {

constexpr char kBetween = '\n';  // of the texts of a list

std::string text_of(const std::string& value) { return value; }

std::string text_of(const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) text += value + kBetween;
  return text;
}

template <class Number>
std::string text_of(Number value) {
  return std::to_string(static_cast<int>(value));
}

void put(const std::string& text, std::string& value) { value = text; }

void put(const std::string& text, std::vector<std::string>& values) {
  values.clear();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(kBetween, at), text.size());
    values.push_back(text.substr(at, end - at));
    at = end + 1;
  }
}

template <class Number>
void put(const std::string& text, Number& value) {
  int number = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc()) {
    value = static_cast<Number>(number);
  }
}

// Every setting that a reader of sources looks at, but for the source itself.
template <class Options, class Visit>
void visit_settings(Options& options, Visit visit) {
  auto& [header, separator, label, label_kind, id, ignore, split, pixel_list, pixels, layout] =
      options.csv;
  visit("csv.header", header);
  visit("csv.separator", separator);
  visit("csv.label", label);
  visit("csv.label_kind", label_kind);
  visit("csv.id", id);
  visit("csv.ignore", ignore);
  visit("csv.split", split);
  visit("csv.pixel_list", pixel_list);
  visit("csv.pixels", pixels);
  visit("csv.layout", layout);
  visit("label_column", options.label_column);
  auto& [images, labels, validation_images, validation_labels, test_images, test_labels] =
      options.arrays;
  visit("arrays.images", images);
  visit("arrays.labels", labels);
  visit("arrays.validation_images", validation_images);
  visit("arrays.validation_labels", validation_labels);
  visit("arrays.test_images", test_images);
  visit("arrays.test_labels", test_labels);
  auto& [fit, resampling, background] = options.images;
  visit("images.fit", fit);
  visit("images.resampling", resampling);
  visit("images.background", background);
  visit("shape.height", options.shape.height);
  visit("shape.width", options.shape.width);
  visit("shape.channels", options.shape.channels);
}

}  // namespace

std::map<std::string, std::string> source_settings(const DataOptions& options) {
  std::map<std::string, std::string> settings;
  visit_settings(options, [&](const char* name, const auto& value) {
    settings.emplace(name, text_of(value));
  });
  return settings;
}

void apply_settings(const std::map<std::string, std::string>& settings, DataOptions& options) {
  visit_settings(options, [&](const char* name, auto& value) {
    const auto found = settings.find(name);
    if (found != settings.end()) put(found->second, value);
  });
}

}  // namespace lockstep
