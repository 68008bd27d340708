// The settings of the data, but for augmentation (see fields.h).
#pragma once

#include "config/fields_of_augmentation.h"
#include "config/section.h"
#include "config/traits.h"
#include "lockstep/data/options.h"

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
        "column after column; of arrays, ARFF and LIBSVM too");
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
           "file or folder of the validation rows; empty: a part of the training rows", Traits());
  });
  visit("fraction", fraction_kept,
        "part of the labelled rows kept for validation, where no source tells its own", fraction());
  visit("stratified", stratified, "each class in the same proportion");
}

template <class Visit>
void fields(Visit& visit, DataOptions& data) {
  auto& [train, test, label_column, csv, arrays, images, shape, range, classes, labels, relabel,
         class_names, validation, normalization, augmentation, cache] = data;
  visit.section("train", "Source", [&data](auto& inner) {
    fields(inner, data.train, "file or folder of the labelled rows, in any of the formats above",
           required());
  });
  visit.section("test", "Source", [&data](auto& inner) {
    fields(inner, data.test, "file or folder of the test rows; empty: none", Traits());
  });
  visit("label_column", label_column, "CSV and ARFF: name of the label's column");
  section(visit, "csv", "Csv", csv);
  section(visit, "arrays", "Arrays", arrays);
  section(visit, "images", "Images", images);
  section(visit, "shape", "Shape", shape);
  section(visit, "range", "Range", range);
  Traits or_counted = from(kFewestClasses, kMostClasses);
  or_counted.zero_too = true;
  visit("classes", classes,
        "number of classes; 0: the units of a last layer that is dense; for `logits` the length of "
        "`labels` or `class_names`, else as many as labels are found",
        or_counted);
  visit("labels", labels,
        "distinct labels of the source by class; none: numbers from 0, else all labels in numeric "
        "or alphabetic order");
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

}  // namespace lockstep
