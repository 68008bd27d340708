#include "data/source_format.h"

#include <array>
#include <filesystem>
#include <span>

#include "lockstep/core/files.h"

namespace lockstep {

namespace {

// Asked in this order, and before the texts.
constexpr std::array kFileFormats = {&kRows, &kNpz, &kImages, &kImageList};

// What no other format recognizes is CSV: its reader says what is wrong.
constexpr std::array kTextFormats = {&kNpy, &kArff, &kLibsvm, &kIdx, &kCsv};

constexpr std::size_t kHeadBytes = 4096;

// Null where the source is a text.
const FileFormat* file_format_of(const SourceOptions& source) {
  const bool is_folder = std::filesystem::is_directory(source.path);
  std::string head;
  if (!is_folder) head = MappedFile(source.path).text().substr(0, kHeadBytes);
  const SourceProbe probe{source, is_folder, head};
  for (const FileFormat* format : kFileFormats) {
    if (format->recognizes(probe)) return format;
  }
  return nullptr;
}

}  // namespace

std::unique_ptr<Source> open_source(Communicator& comm, const SourceOptions& source) {
  const FileFormat* found = nullptr;
  agree(comm, [&] { found = file_format_of(source); });
  if (found != nullptr) return found->open(comm, source);
  auto texts = std::unique_ptr<SourceTexts>(
      new SourceTexts{SourceText(comm, source.path, source.member), std::nullopt});
  if (!source.labels.empty()) texts->labels.emplace(comm, source.labels, "");
  std::unique_ptr<Source> opened;
  comm.begin_long_work("looking at the data", kEachRank);
  agree(comm, [&] {
    for (const TextFormat* format : kTextFormats) {
      if (!format->recognizes(*texts)) continue;
      opened = format->open(std::move(texts));
      return;
    }
  });
  return opened;
}

}  // namespace lockstep
