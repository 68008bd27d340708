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
  visit("member", member, "the file inside a zip");
  visit("labels", labels, "the file of the labels, where they are in one of their own");
}

template <class Visit>
void fields(Visit& visit, ImageShape& shape) {
  auto& [height, width, channels] = shape;
  visit("height", height, "rows of pixels of an image", from(1, kMaxImageSide));
  visit("width", width, "columns of pixels of an image", from(1, kMaxImageSide));
  visit("channels", channels, "channels of a pixel", from(1, kMaxChannels));
}

template <class Visit>
void fields(Visit& visit, CsvOptions& csv) {
  auto& [header, separator, label, label_kind, id, ignore, split, pixel_list, pixels, layout] = csv;
  visit("header", header, "CSV: whether the first line names the columns; AUTO: by looking");
  visit("separator", separator, "between fields: `,`, `;`, a tab or a blank; empty: by looking");
  visit("label", label,
        "the label's column: its name, its index from 0, `LAST` or `NONE`; empty: "
        "`data.label_column`, or by looking");
  visit("label_kind", label_kind, "what labels are; AUTO: by looking");
  visit("id", id, "a column of ids, by name or index; empty: by looking");
  visit("ignore", ignore, "columns to leave out, by name or index");
  visit("split", split,
        "a column that says training, validation or test, by name or index; empty: by looking");
  visit("pixel_list", pixel_list,
        "a column that holds all pixels with blanks between; empty: by looking");
  visit("pixels", pixels, "what pixels are: whole numbers from 0 to 255, or real ones");
  visit("layout", layout,
        "the order of pixels: the channels of each side by side, a plane for each channel, or "
        "column after column");
}

template <class Visit>
void fields(Visit& visit, ArrayOptions& arrays) {
  auto& [images, labels, validation_images, validation_labels, test_images, test_labels] = arrays;
  visit("images", images, "`.npz`: the array of the images; empty: by the usual names");
  visit("labels", labels, "that of their labels");
  visit("validation_images", validation_images, "that of the validation rows");
  visit("validation_labels", validation_labels, "and their labels");
  visit("test_images", test_images, "that of the test rows");
  visit("test_labels", test_labels, "and their labels");
}

template <class Visit>
void fields(Visit& visit, PictureFitOptions& images) {
  auto& [fit, resampling, background] = images;
  visit("fit", fit,
        "image files to `data.shape`: each axis by itself, the whole picture on a background, or "
        "the middle that fills it");
  visit("resampling", resampling,
        "means over areas where a picture shrinks; or a triangle as wide as a pixel");
  visit("background", background, "level around a picture that is fitted", from(0, 255));
}

template <class Visit>
void fields(Visit& visit, ValueRange& range) {
  auto& [lowest, highest] = range;
  visit("lowest", lowest, "value of a pixel that stands for black");
  visit("highest", highest, "and for full intensity; both 0: by looking");
}

template <class Visit>
void fields(Visit& visit, ValidationOptions& validation) {
  auto& [source, fraction_kept, stratified] = validation;
  visit.section("source", "Source", [&validation](auto& inner) {
    fields(inner, validation.source,
           "file of the validation rows; empty: a part of the training rows", Traits());
  });
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
  auto& [train, test, label_column, csv, arrays, images, shape, range, classes, labels, relabel,
         class_names, validation, normalization, augmentation, cache] = data;
  visit.section("train", "Source", [&data](auto& inner) {
    fields(inner, data.train,
           "file of the labelled rows: CSV, a zip of CSV, or IDX images (may be gzipped)",
           required());
  });
  visit.section("test", "Source", [&data](auto& inner) {
    fields(inner, data.test, "file of the test rows; empty: none", Traits());
  });
  visit("label_column", label_column, "CSV: name of the label's column in the header");
  section(visit, "csv", "Csv", csv);
  section(visit, "arrays", "Arrays", arrays);
  section(visit, "images", "Images", images);
  section(visit, "shape", "Shape", shape);
  section(visit, "range", "Range", range);
  visit("classes", classes, "number of classes; labels run from 0", from(2, kMaxExtent));
  visit("labels", labels,
        "labels of the source by class; none: numbers from 0, else all labels in numeric or "
        "alphabetic order");
  visit("relabel", relabel, "labels to be read as others, each `FROM=TO`");
  visit("class_names", class_names, "a distinct name for every class; none: its label");
  section(visit, "validation", "Validation", validation);
  visit("normalization", normalization,
        "0 to 1 for the range's values, so pixel / 255 for bytes; mean 0 and deviation 1 per "
        "channel over the training rows; pixel as it is");
  section(visit, "augmentation", "Augmentation", augmentation);
  visit("cache", cache,
        "where decoded rows are kept for the next start: `AUTO`, `NONE` or a folder");
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
