// Every setting, told once: its name in an experiment's text, its member, its meaning and
// what it may hold. From this come the grammar, reading, writing, the checks of ranges and
// the table of options. A member that is added to a struct and not here does not compile.
//
// A visitor V is given, in the order of the text:
//   visit(name, member, meaning, traits)       a value, or a list of strings
//   visit.section(name, type, body)            calls body(visitor of the section)
//   visit.optional(name, type, member, meaning)  a section that may be absent
//   visit.choice(name, type, variant)          a section of one kind out of several
//   visit.list(name, type, vector, meaning)    a list of such sections
// `type` is the section's name in messages.
#pragma once

#include "config/fields_of_callbacks.h"
#include "config/fields_of_layers.h"
#include "config/fields_of_training.h"
#include "config/traits.h"
#include "lockstep/config/experiment.h"

namespace lockstep {

template <class Visit>
void fields(Visit& visit, SourceOptions& source, const char* path_meaning, const Traits& traits) {
  auto& [path, member, labels] = source;
  visit("path", path, path_meaning, traits);
  visit("member", member, "the CSV file inside a zip");
  visit("labels", labels, "IDX only: the file of the labels");
}

template <class Visit>
void fields(Visit& visit, ImageShape& shape) {
  auto& [height, width, channels] = shape;
  visit("height", height, "rows of pixels of an image", from(1, kMaxImageSide));
  visit("width", width, "columns of pixels of an image", from(1, kMaxImageSide));
  visit("channels", channels, "channels of a pixel", from(1, kMaxChannels));
}

template <class Visit>
void fields(Visit& visit, ValidationOptions& validation) {
  auto& [fraction_kept, stratified] = validation;
  visit("fraction", fraction_kept, "part of the labelled rows kept for validation", fraction());
  visit("stratified", stratified, "each class in the same proportion");
}

template <class Visit>
void fields(Visit& visit, AugmentationOptions& augmentation) {
  auto& [rotation_degrees, translation_pixels, scale] = augmentation;
  visit("rotation_degrees", rotation_degrees, "training images: angle uniform in ± this",
        from(0, 180));
  visit("translation_pixels", translation_pixels,
        "training images: shift of each axis uniform in ± this",
        Traits().as("number ≥ 0, below the shorter side"));
  visit("scale", scale, "training images: size uniform in 1 ± this", fraction());
}

template <class Visit>
void fields(Visit& visit, DataOptions& data) {
  auto& [train, test, label_column, shape, classes, class_names, validation, normalization,
         augmentation] = data;
  visit.section("train", "Source", [&data](auto& inner) {
    fields(inner, data.train,
           "file of the labelled rows: CSV, a zip of CSV, or IDX images (may be gzipped)",
           required());
  });
  visit.section("test", "Source", [&data](auto& inner) {
    fields(inner, data.test, "file of the test rows; empty: none", Traits());
  });
  visit("label_column", label_column, "CSV: name of the label's column in the header");
  section(visit, "shape", "Shape", shape);
  visit("classes", classes, "number of classes; labels run from 0", from(2, kMaxExtent));
  visit("class_names", class_names, "a distinct name for every class; none: `0`, `1`, …");
  section(visit, "validation", "Validation", validation);
  visit("normalization", normalization,
        "pixel / 255; mean 0 and deviation 1 per channel over the training rows; pixel as it is");
  section(visit, "augmentation", "Augmentation", augmentation);
}

template <class Visit>
void fields(Visit& visit, CheckpointOptions& checkpoint) {
  auto& [every_steps, every_seconds, keep_last] = checkpoint;
  visit("every_steps", every_steps,
        "save a checkpoint so often, beside those at the end of epochs; 0: not", at_least(0));
  visit("every_seconds", every_seconds,
        "and whenever so much time has passed since the last one; 0: never", at_least(0));
  visit("keep_last", keep_last, "checkpoints kept, beside the best", at_least(1));
}

template <class Visit>
void fields(Visit& visit, Experiment& experiment) {
  auto& [name, seed, device, data, model, parallel, train, callbacks, checkpoint] = experiment;
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
  Training training{parallel, train};
  section(visit, "training", "Training", training);
  visit.choice("optimizer", "Optimizer", train.optimizer);
  visit.choice("schedule", "Schedule", train.schedule);
  section(visit, "callbacks", "Callbacks", callbacks);
  section(visit, "checkpoint", "Checkpoint", checkpoint);
}

}  // namespace lockstep
