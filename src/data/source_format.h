// The tables of the formats of a source: a format is a Source in a file of its own and one
// line of a table in source_format.cpp.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "data/source.h"
#include "data/source_text.h"

namespace lockstep {

// What a format is recognized by.
struct SourceProbe {
  const SourceOptions& source;
  bool is_folder;
  std::string_view head;  // of the file as it lies there, some 4 KiB; empty for a folder
};

struct FileFormat {
  // Local.
  bool (*recognizes)(const SourceProbe& probe);
  // Collective.
  std::unique_ptr<Source> (*open)(Communicator& comm, const SourceOptions& source);
};

// A format that is one text, perhaps packed, and perhaps one of labels.
struct SourceTexts {
  SourceText images;                 // or whole rows
  std::optional<SourceText> labels;  // where they are in a file of their own
};

struct TextFormat {
  // Local, by what the unpacked texts begin with.
  bool (*recognizes)(const SourceTexts& texts);
  // Local.
  std::unique_ptr<Source> (*open)(std::unique_ptr<SourceTexts> texts);
};

extern const FileFormat kRows;
extern const FileFormat kImages;
extern const FileFormat kImageList;
extern const FileFormat kNpz;

extern const TextFormat kNpy;
extern const TextFormat kArff;
extern const TextFormat kLibsvm;
extern const TextFormat kIdx;
extern const TextFormat kCsv;

}  // namespace lockstep
