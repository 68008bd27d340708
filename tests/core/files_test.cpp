#include "lockstep/core/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <functional>
#include <utility>

#include "lockstep/core/error.h"

namespace lockstep {
namespace {

class Files : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "lockstep-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::int64_t entries() const {
    return std::distance(fs::directory_iterator(folder_), fs::directory_iterator());
  }

  fs::path folder_;
};

// The code of the Error that `work` throws, which must name `path`.
ExitCode code_of(const fs::path& path, const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(path.string()), std::string::npos) << error.what();
    return error.code();
  }
  return ExitCode::kDone;
}

// Bytes of every kind, zeros included.
std::string sample(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 37 / 3);
  return bytes;
}

TEST_F(Files, LinkStaysAndItsTargetIsReplaced) {
  fs::create_directory(folder_ / "there");
  write_file_atomically(folder_ / "there" / "file", "old");
  fs::create_symlink("there/file", folder_ / "link");
  write_output_file(folder_ / "link", "new");
  EXPECT_TRUE(fs::is_symlink(folder_ / "link"));
  EXPECT_EQ(read_file(folder_ / "there" / "file"), "new");
}

TEST_F(Files, PipeIsWrittenTo) {
  const fs::path pipe = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const int reader = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  write_output_file(pipe, "text");
  std::array<char, 8> got{};
  EXPECT_EQ(::read(reader, got.data(), got.size()), 4);
  EXPECT_STREQ(got.data(), "text");
  ::close(reader);
  EXPECT_TRUE(fs::is_fifo(pipe));
  EXPECT_EQ(code_of(pipe, [&] { read_file(pipe); }), ExitCode::kUsage);
}

TEST_F(Files, LinkIsReplacedWhereNobodyNamedIt) {
  write_file_atomically(folder_ / "victim", "old");
  fs::create_symlink("victim", folder_ / "file");
  write_file_atomically(folder_ / "file", "new");
  EXPECT_FALSE(fs::is_symlink(folder_ / "file"));
  EXPECT_EQ(read_file(folder_ / "victim"), "old");
  EXPECT_EQ(read_file(folder_ / "file"), "new");
}

TEST_F(Files, ModeIsKept) {
  write_file_atomically(folder_ / "file", "old");
  fs::permissions(folder_ / "file", fs::perms::owner_read);
  write_file_atomically(folder_ / "file", "new");
  EXPECT_EQ(fs::status(folder_ / "file").permissions(), fs::perms::owner_read);
}

TEST_F(Files, WhatAKilledProcessLeftIsRemoved) {
  write_file_durably(folder_ / ".file.123.lockstep-tmp", "half");
  write_file_durably(folder_ / "mine.lockstep-tmp", "mine");
  remove_temporary_files(folder_);
  EXPECT_FALSE(fs::exists(folder_ / ".file.123.lockstep-tmp"));
  EXPECT_TRUE(fs::exists(folder_ / "mine.lockstep-tmp"));
}

TEST_F(Files, MappedFileThatIsCutShortIsNamed) {
  const fs::path path = folder_ / "rows";
  write_file_durably(path, sample(1 << 16));
  const MappedFile file(path);
  fs::resize_file(path, 100);
  EXPECT_EXIT(
      {
        volatile char last = file.text().back();
        (void)last;
      },
      testing::ExitedWithCode(2), "^lockstep: .*/rows: was cut short while it was read");
}

TEST_F(Files, RoundTripByReadingAndByMapping) {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{4097}, std::size_t{1000003}}) {
    const std::string content = sample(size);
    const fs::path path = folder_ / "file";
    write_file_atomically(path, content);
    EXPECT_EQ(read_file(path), content);
    EXPECT_EQ(MappedFile(path).text(), content);
    EXPECT_EQ(file_bytes(path), size);
  }
  EXPECT_EQ(entries(), 1);
}

TEST_F(Files, MovedMappingStaysValid) {
  const fs::path path = folder_ / "file";
  write_file_atomically(path, "abc");
  MappedFile first(path);
  const MappedFile second(std::move(first));
  EXPECT_EQ(second.text(), "abc");
}

// Sets a limit on the size of files for as long as it lives, so that writes fail
// midway as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(::rlim_t bytes) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const ::rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, SIG_DFL);
  }

 private:
  ::rlimit before_{};
};

TEST_F(Files, FailedWriteLeavesTheOldFileAndNothingElse) {
  const fs::path path = folder_ / "file";
  write_file_atomically(path, "old");
  ExitCode code;
  {
    const FileSizeLimit limit(1000);
    code = code_of(path, [&] { write_file_atomically(path, sample(5000)); });
  }
  EXPECT_EQ(code, ExitCode::kInternal);
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(entries(), 1);
}

TEST_F(Files, FailedRenameLeavesNoTemporaryFile) {
  const fs::path path = folder_ / "taken";
  fs::create_directories(path / "inside");
  EXPECT_EQ(code_of(path, [&] { write_file_atomically(path, "new"); }), ExitCode::kInternal);
  EXPECT_TRUE(fs::is_directory(path / "inside"));
  EXPECT_EQ(entries(), 1);
}

TEST_F(Files, WriteIntoAMissingFolderIsAnInternalError) {
  const fs::path path = folder_ / "no" / "file";
  EXPECT_EQ(code_of(path, [&] { write_file_atomically(path, "new"); }), ExitCode::kInternal);
  EXPECT_EQ(code_of(folder_ / "no", [&] { sync_folder(folder_ / "no"); }), ExitCode::kInternal);
}

TEST_F(Files, WhatCannotBeReadIsAUsageError) {
  for (const fs::path& path : {folder_ / "missing", folder_}) {
    EXPECT_EQ(code_of(path, [&] { read_file(path); }), ExitCode::kUsage);
    EXPECT_EQ(code_of(path, [&] { MappedFile mapped(path); }), ExitCode::kUsage);
    EXPECT_EQ(code_of(path, [&] { file_bytes(path); }), ExitCode::kUsage);
  }
}

}  // namespace
}  // namespace lockstep
