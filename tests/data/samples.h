// Files of rows by formula, for the tests of the data room.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lockstep/comm/communicator.h"
#include "lockstep/core/error.h"
#include "lockstep/data/options.h"
#include "lockstep/data/row_share.h"

namespace lockstep::samples {

inline constexpr int kClasses = 7;
inline constexpr int kRows = 997;

// 5 x 9 images: an odd width, and rows longer than a block of the parser.
inline DataOptions options() {
  DataOptions options;
  options.shape = {5, 9, 1};
  options.classes = kClasses;
  return options;
}

inline int label_of(int row) { return (row * row + 3 * row) % kClasses; }

// Mostly zeros, in runs, with 1 to 3 digits between.
inline int pixel_of(int row, int index) {
  return (row / 3 + index / 4) % 3 != 0 ? 0 : (row * 131 + index * index * 29) % 256;
}

struct Style {
  std::string line_end = "\n";
  std::string begin = "";
  std::string end = "\n";  // after the last row
  int label_column = 0;    // below 0: none
};

inline std::string csv(int rows, const Style& style = {}) {
  const int pixels = options().shape.pixels();
  const auto line = [&](const std::string& label, const std::function<std::string(int)>& pixel) {
    std::string text;
    for (int i = 0; i <= pixels; ++i) {
      if (i == style.label_column) text += label + ",";
      if (i < pixels) text += pixel(i) + ",";
    }
    text.pop_back();
    return text;
  };
  std::string text = style.begin + line("label", [](int i) { return fmt::format("pixel{}", i); });
  for (int row = 0; row < rows; ++row) {
    text += style.line_end + line(std::to_string(label_of(row)),
                                  [&](int i) { return std::to_string(pixel_of(row, i)); });
  }
  return text + style.end;
}

// The bytes of the rows that a rank holds.
inline std::span<const std::uint8_t> pixels_of(const RowShare& share) {
  EXPECT_EQ(share.type, PixelType::kByte);
  return share.pixels({0, share.size()}).bytes();
}

// A folder of this test program alone, removed at its end.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "lockstep-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path_ = pattern;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string write(const std::string& name, const std::string& content) const {
    std::ofstream(path_ / name, std::ios::binary) << content;
    return (path_ / name).string();
  }
  std::string path(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

// Collective: a file that rank 0 writes and every rank may read afterwards.
class SharedFolder {
 public:
  explicit SharedFolder(Communicator& comm) : comm_(comm) {
    if (comm.rank() == 0) folder_.emplace();
    root_ = broadcast_text(comm, folder_ ? folder_->path("") : "", 0);
  }
  ~SharedFolder() { comm_.barrier(); }
  SharedFolder(const SharedFolder&) = delete;
  SharedFolder& operator=(const SharedFolder&) = delete;

  std::string write(const std::string& name, const std::string& content) const {
    if (folder_) folder_->write(name, content);
    comm_.barrier();
    return path(name);
  }
  std::string path(const std::string& name) const { return root_ + name; }

 private:
  Communicator& comm_;
  std::optional<Folder> folder_;
  std::string root_;
};

// The text of the Error that `work` throws; empty if it throws none.
inline std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage) << error.what();
    return error.what();
  }
  return {};
}

}  // namespace lockstep::samples
