// An experiment: everything that decides the result of a run, and nothing else
// (no ranks, no threads, no hosts). Read from a Protocol Buffers text file whose
// fields are told in src/config/fields.h.
//
// Local, any thread. Bad text is an Error (2) that names file, line and column, or file, line and
// the field's path (no line of what an override gave), what was seen and what would be right.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lockstep/callbacks/options.h"
#include "lockstep/checkpoint/options.h"
#include "lockstep/core/digest.h"
#include "lockstep/core/error.h"
#include "lockstep/data/options.h"
#include "lockstep/eval/options.h"
#include "lockstep/model/options.h"
#include "lockstep/parallel/options.h"
#include "lockstep/train/options.h"

namespace lockstep {

enum class Device { kAuto, kCpu, kCuda };

struct Experiment {
  std::string name;
  std::uint64_t seed = 1;
  Device device = Device::kAuto;
  DataOptions data;
  ModelOptions model;
  std::optional<InitializeOptions> initialize;
  ParallelOptions parallel;
  TrainOptions train;
  EvaluationOptions evaluation;
  CallbackOptions callbacks;
  CheckpointOptions checkpoint;
};

// What an experiment must satisfy: all; all but what versions before the check did not ask of what
// they kept, a label twice; all but that there are data, where nothing is read.
enum class Check { kAll, kKept, kWithoutData };

// The experiment in `file` with `overrides` ("training.epochs=3") applied in
// order, checked. Relative data paths stay as written.
//
// An override is PATH=VALUE. A layer is named by its index, from 0:
// "model.layer[0].conv.filters=16". Naming a field of another member of a choice
// ("optimizer.sgd.momentum=0.9") chooses that member. Strings have no quotes; a
// list is split at commas; a section is written as in the file
// ("schedule.one_cycle={}"). Nothing after the equals sign puts the field back to
// its default ("callbacks.early_stopping=").
Experiment load_experiment(const std::string& file, std::span<const std::string> overrides,
                           Check check = Check::kAll);

// The experiment that a run folder keeps. What versions before the setting did not write there has
// the meaning that it had then: all parameters decay where `optimizer.decays` is absent.
Experiment load_kept_experiment(const std::string& file);

// Takes the number of classes that was counted in the data, where the experiment tells none. Error
// (2): too few or too many; settings that are for another number.
void settle_classes(Experiment& experiment, int counted);

// The same from text; `origin` stands for the file in errors.
Experiment parse_experiment(const std::string& text, const std::string& origin,
                            std::span<const std::string> overrides, Check check = Check::kAll);

// An error of what looks at the experiment in `file` with `overrides`, as its network: one that
// begins with a field's path, "FILE:LINE: " before it, as errors of parse_experiment have.
Error at_its_line(const Error& error, const std::string& file,
                  std::span<const std::string> overrides);

// The experiment as text that parses to the same experiment, every default
// written out; what a run folder keeps.
std::string to_text(const Experiment& experiment);

// The data section as text, without what has its default; shape and classes are always told.
std::string data_section(const DataOptions& options);

// The same text of the experiment in `file`, which may be without data: every line
// but closing braces ends with a comment on where its value or section is from:
// "# FILE:LINE" (the file's name without its folders, the line from 1), "# --set" or
// "# default".
std::string to_text_with_origins(const std::string& file, std::span<const std::string> overrides);

// The paths of the fields in which two experiments differ, as --set names them.
std::vector<std::string> differing_fields(const Experiment& a, const Experiment& b);

// Every field with its value as text, by the path that --set names; "{}" for a section
// without fields.
std::map<std::string, std::string> fields_of(const Experiment& experiment);

// The table of all settings, in Markdown: path, type and range, default, meaning.
std::string options_table();

// The XXH3-128 digest of to_text(): equal for experiments that are equal,
// however their files are written. Part of a run folder's name.
Digest digest_of(const Experiment& experiment);

}  // namespace lockstep
