// Every setting, told once: its name in an experiment's text, its member, its meaning and
// what it may hold. From this come the grammar, reading, writing, the checks of ranges and
// the table of options. A member that is added to a struct and not here does not compile.
//
// A visitor V is given, in the order of the text:
//   visit(name, member, meaning, traits)       a value, or a list of strings or numbers
//   visit.section(name, type, body)            calls body(visitor of the section)
//   visit.optional(name, type, member, meaning)  a section that may be absent
//   visit.choice(name, type, variant)          a section of one kind out of several
//   visit.kinds(variant)                       those kinds, in a section with other fields too
//   visit.list(name, type, vector, meaning, traits)  a list of such sections
//   visit.sections(name, type, vector, meaning, traits)  a list of sections of one kind
// `type` is the section's name in messages.
#pragma once

#include "config/fields_of_blocks.h"
#include "config/fields_of_callbacks.h"
#include "config/fields_of_data.h"
#include "config/fields_of_optimizers.h"
#include "config/fields_of_training.h"
#include "config/traits.h"
#include "lockstep/config/experiment.h"

namespace lockstep {

template <class Visit>
void fields(Visit& visit, CheckpointOptions& checkpoint) {
  auto& [every_steps, every_seconds, keep_last, in_memory_every_steps] = checkpoint;
  visit("every_steps", every_steps,
        "save a checkpoint so often, beside those at the end of epochs; 0: not", at_least(0));
  visit("every_seconds", every_seconds,
        "and whenever so much time has passed since the last one; 0: never", at_least(0));
  visit("keep_last", keep_last, "checkpoints kept, beside the best", at_least(1));
  visit(
      "in_memory_every_steps", in_memory_every_steps,
      "and in the memory of every host so often, for `--max-restarts`: a job that lost a rank goes "
      "on from there, one that lost all hosts from the disk; 0: never",
      at_least(0));
}

template <class Visit>
void fields(Visit& visit, RenameOptions& rename) {
  auto& [from, to] = rename;
  visit("from", from, "tensors of the file by a pattern: `*` stands for any characters");
  visit("to", to, "their new name, each `*` being what that of `from` in its place stands for");
}

template <class Visit>
void fields(Visit& visit, InitializeOptions& initialize) {
  auto& [path, rename, map, skip, freeze] = initialize;
  visit(
      "path", path,
      "file of weights: a run folder, a checkpoint folder, or a `.safetensors` file of ours or of "
      "PyTorch's tensors; empty: none");
  visit.sections("rename", "Rename", rename,
                 "new names for the file's tensors, one rule after the other");
  visit("map", map, "then names of torchvision's networks become those of the configs'");
  visit("skip", skip,
        "patterns of parameters that begin as without a file, as `layers` of a group");
  visit("freeze", freeze,
        "patterns of parameters that are not trained; the last one that fits decides, and `!` "
        "before it takes out again");
}

template <class Visit>
void fields(Visit& visit, Experiment& experiment) {
  auto& [name, seed, device, data, model, initialize, parallel, train, evaluation, callbacks,
         checkpoint] = experiment;
  visit("name", name,
        "name of the run folders under `models/`: letters, digits, `.`, `_`, `-`, a letter or "
        "digit first",
        required());
  visit("seed", seed,
        "key of every random number: deal of rows, order, augmentation, dropout, initial weights");
  visit("device", device,
        "where to compute: `AUTO` takes GPUs where every rank has one of its own, else the CPU, "
        "and says why");
  section(visit, "data", "Data", data);
  section(visit, "model", "Model", model);
  visit.optional("initialize", "Initialize", initialize,
                 "weights to begin with, and those that stay (see [Fine-tuning](#fine-tuning))");
  Training training{parallel, train};
  section(visit, "training", "Training", training);
  Updates updates{train};
  section(visit, "optimizer", "Optimizer", updates);
  visit.choice("schedule", "Schedule", train.schedule);
  section(visit, "evaluation", "Evaluation", evaluation);
  section(visit, "callbacks", "Callbacks", callbacks);
  section(visit, "checkpoint", "Checkpoint", checkpoint);
}

}  // namespace lockstep
