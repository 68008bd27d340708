#include "lockstep/config/experiment.h"

#include <cstdint>
#include <memory>
#include <string_view>

#include "config/error_line.h"
#include "config/grammar.h"
#include "config/override.h"
#include "config/text.h"
#include "config/validate.h"
#include "config/visit_fields.h"
#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "lockstep/core/text.h"

namespace lockstep {

namespace {

std::string read_text(const std::string& file) {
  constexpr std::uint64_t kMostBytes = 16 << 20;
  if (const std::uint64_t bytes = file_bytes(file); bytes > kMostBytes) {
    fail_usage("{}: {} bytes; expected an experiment, a text of at most {}", file, bytes,
               kMostBytes);
  }
  return read_file(file);
}

}  // namespace

Experiment load_experiment(const std::string& file, std::span<const std::string> overrides,
                           Check check) {
  return parse_experiment(read_text(file), file, overrides, check);
}

Experiment load_kept_experiment(const std::string& file) {
  const std::string text = read_text(file);
  bool is_told = false;
  visit_fields(*parse_text(text, file), nullptr, [&](const PresentField& present) {
    is_told = is_told || present.path == "optimizer.decays";
  });
  const std::vector<std::string> then{"optimizer.decays=ALL"};
  return parse_experiment(text, file, is_told ? std::span<const std::string>() : then,
                          Check::kKept);
}

Experiment parse_experiment(const std::string& text, const std::string& origin,
                            std::span<const std::string> overrides, Check check) {
  const std::unique_ptr<Message> message = parse_text(text, origin);
  for (const std::string& override : overrides) apply_override(override, *message);
  try {
    Experiment experiment = read_experiment(*message);
    experiment.data.classes = told_classes(experiment);
    validate(experiment, check);
    return experiment;
  } catch (const Error& error) {
    throw at_line_of_text(error, text, origin, overrides);
  }
}

Error at_its_line(const Error& error, const std::string& file,
                  std::span<const std::string> overrides) {
  if (field_of_message(error.what()).empty()) return error;
  return at_line_of_text(error, read_text(file), file, overrides);
}

void settle_classes(Experiment& experiment, int counted) {
  if (experiment.data.classes != 0) return;
  if (counted < kFewestClasses || counted > kMostClasses) {
    fail_usage("data.train: {}; expected from {} to {}, or data.classes and data.labels",
               count_of(counted, "class", "classes"), kFewestClasses, kMostClasses);
  }
  const std::size_t weights = experiment.train.class_weights.size();
  if (weights != 0 && weights != static_cast<std::size_t>(counted)) {
    fail_usage("training.class_weights has {}; expected {}, as many as labels were found",
               count_of(weights, "number"), counted);
  }
  experiment.data.classes = counted;
  validate(experiment);
}

std::string to_text(const Experiment& experiment) {
  return print_text(*write_experiment(experiment));
}

Digest digest_of(const Experiment& experiment) {
  return digest_of(std::string_view(to_text(experiment)));
}

}  // namespace lockstep
