// The data section of an experiment: where rows come from and what is done to
// them. Plain values, the only home of their defaults.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lockstep/core/batch.h"
#include "lockstep/pictures/options.h"

namespace lockstep {

// Where images are: a file or folder of any of the formats in src/data/source_format.cpp.
struct SourceOptions {
  std::string path;
  std::string member;  // of an archive
  std::string labels;  // where they are in a file of their own

  bool operator==(const SourceOptions&) const = default;
};

enum class Header { kAuto, kYes, kNo };
enum class LabelKind { kAuto, kNumber, kText, kOneHot };
enum class PixelKind { kAuto, kWhole, kReal };
enum class PixelLayout {
  kInterleaved,  // row after row, the channels of a pixel side by side
  kPlanar,       // a plane for each channel
  kTransposed,   // column after column
};

// How a CSV file is written. A column is given by its name, or by its index from 0.
struct CsvOptions {
  Header header = Header::kAuto;
  std::string separator;  // empty: to be found out
  std::string label;      // or LAST, or NONE; empty: data.label_column, or to be found out
  LabelKind label_kind = LabelKind::kAuto;
  std::string id;
  std::vector<std::string> ignore;
  std::string split;       // a column that says training, validation or test
  std::string pixel_list;  // a column that holds all pixels, with blanks between
  PixelKind pixels = PixelKind::kAuto;
  PixelLayout layout = PixelLayout::kInterleaved;
};

// The arrays of an .npz file; empty: by the names that are usual.
struct ArrayOptions {
  std::string images;
  std::string labels;
  std::string validation_images;
  std::string validation_labels;
  std::string test_images;
  std::string test_labels;
};

// The values that stand for black and for full intensity.
struct ValueRange {
  float lowest = 0;
  float highest = 0;  // both 0: to be found out

  bool given() const { return lowest < highest; }
  bool operator==(const ValueRange&) const = default;
};

inline constexpr ValueRange kByteRange{0, 255};

enum class NormalizationKind {
  kUnit,         // (pixel - lowest) / (highest - lowest) of the value range
  kStandardize,  // (pixel - mean) / deviation, per channel, over the training rows
  kNone,         // pixel as it is
};

// A rectangle is set to the mean of the training rows (Zhong et al., "Random Erasing Data
// Augmentation", 2017).
struct EraseOptions {
  float probability = 0.5F;
  int side_pixels = 0;          // of a square; 0: by area
  float smallest_area = 0.02F;  // as a part of the image, uniform from here
  float largest_area = 0.33F;   // to here; sides in a ratio from 1/3 to 3, its logarithm uniform
};

// Random changes of training images; 0 switches a part off.
struct AugmentationOptions {
  float rotation_degrees = 0;    // angle uniform in [-r, r]
  float translation_pixels = 0;  // each axis uniform in [-t, t]
  float scale = 0;               // factor uniform in [1 - s, 1 + s]
  float flip = 0;                // probability that left and right are swapped
  int crop_padding_pixels = 0;   // a crop of the image's size out of it and such a margin
  std::optional<EraseOptions> erase = {};
  float brightness = 0;    // factor of values above black uniform in [1 - b, 1 + b]
  float contrast = 0;      // factor of the distance from the mean uniform in [1 - c, 1 + c]
  float mixup_alpha = 0;   // part of the sample's own values: Beta(a, a) (Zhang et al. 2018)
  float cutmix_alpha = 0;  // part of its own area: Beta(a, a) (Yun et al. 2019)

  bool moves() const { return rotation_degrees != 0 || translation_pixels != 0 || scale != 0; }
  bool tones() const { return brightness != 0 || contrast != 0; }
  bool mixes() const { return mixup_alpha != 0 || cutmix_alpha != 0; }
  bool any() const {
    return moves() || flip != 0 || crop_padding_pixels != 0 || erase || tones() || mixes();
  }
  // Whether the mean of the training rows is used.
  bool needs_mean() const { return erase || contrast != 0; }
};

struct ValidationOptions {
  SourceOptions source;    // of its own; none: a part of the training rows
  double fraction = 0.2;   // of the labelled rows, in [0, 1)
  bool stratified = true;  // each class in the same proportion
};

// What DataOptions::cache says beside the path of a folder.
inline constexpr const char* kAutoCache = "AUTO";
inline constexpr const char* kNoCache = "NONE";

inline constexpr int kFewestClasses = 2;
inline constexpr int kMostClasses = 65536;

struct DataOptions {
  SourceOptions train;
  SourceOptions test;
  std::string label_column = "label";  // CSV: its name in the header
  CsvOptions csv;
  ArrayOptions arrays;
  PictureFitOptions images;  // of image files to `shape`
  ImageShape shape;
  ValueRange range;                      // of the pixels' values
  int classes = 0;                       // 0: as many as labels are found
  std::vector<std::string> labels;       // as the source has them, by class; empty: to be found out
  std::vector<std::string> relabel;      // "FROM=TO", before classes are told apart
  std::vector<std::string> class_names;  // empty: the labels
  ValidationOptions validation;
  NormalizationKind normalization = NormalizationKind::kUnit;
  AugmentationOptions augmentation;
  std::string cache = kAutoCache;  // of decoded rows
};

}  // namespace lockstep
