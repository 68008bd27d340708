#include "lockstep/core/error.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "lockstep/core/text.h"

namespace lockstep {
namespace {

TEST(Error, WithinAddsContextAndKeepsTheRest) {
  const Error inner(ExitCode::kPeer, "cut", Reach::kAgreed);
  const Error outer = inner.within("file").within("rank 3");
  EXPECT_STREQ(outer.what(), "rank 3: file: cut");
  EXPECT_EQ(outer.code(), ExitCode::kPeer);
  EXPECT_EQ(outer.reach(), Reach::kAgreed);
}

TEST(Error, FailuresBlameTheRightOne) {
  try {
    fail_usage("{} rows, at least {}", 3, 4);
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "3 rows, at least 4");
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_EQ(error.reach(), Reach::kLocal);
  }
  try {
    fail_internal("{{}} of {}", "x");
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "{} of x");
    EXPECT_EQ(error.code(), ExitCode::kInternal);
  }
}

// A name out of a user's file may hold anything.
TEST(Printable, ControlCharactersAreShown) {
  EXPECT_EQ(printable("a\x1b[2J\n\x7f"), "a\\x1b[2J\\x0a\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"
                      "2J"),
            "\\xc2\\x9b"
            "2J");
  EXPECT_EQ(printable("Zürich \xc2\xa0 漢\xc2"), "Zürich \xc2\xa0 漢\xc2");
  EXPECT_EQ(printable(""), "");
}

TEST(Error, OfALibrarysExceptionIsItsFirstLine) {
  const Error trace = Error::from(std::runtime_error("no such size\nframe #0: f()\nframe #1"));
  EXPECT_STREQ(trace.what(), "no such size");
  EXPECT_EQ(trace.code(), ExitCode::kInternal);
  EXPECT_STREQ(Error::from(std::bad_alloc()).what(), "out of memory");
  const Error own(ExitCode::kPeer, "gone", Reach::kAgreed);
  EXPECT_STREQ(Error::from(own).what(), "gone");
  EXPECT_EQ(Error::from(own).code(), ExitCode::kPeer);
  EXPECT_EQ(Error::from(own).reach(), Reach::kAgreed);
}

TEST(Error, OfAFileSystemNamesItsPaths) {
  const auto text = [](const std::filesystem::filesystem_error& fault) {
    const Error error = Error::from(fault);
    EXPECT_EQ(error.code(), ExitCode::kInternal);
    return std::string(error.what());
  };
  using Fault = std::filesystem::filesystem_error;
  const auto failed = std::make_error_code(std::errc::io_error);
  EXPECT_EQ(text(Fault("cannot list", "/a", failed)), "/a: Input/output error");
  EXPECT_EQ(text(Fault("cannot rename", "/a", "/b", failed)), "/a to /b: Input/output error");
  EXPECT_EQ(text(Fault("cannot advance", failed)),
            "filesystem error: cannot advance: Input/output error");
  // This file system has room.
  const auto full = std::make_error_code(std::errc::no_space_on_device);
  EXPECT_EQ(text(Fault("cannot make", "nowhere/a", full)), "nowhere/a: No space left on device");
}

TEST(Error, OfAPathBlamesTheUser) {
  const std::string name(300, 'x');
  try {
    static_cast<void>(std::filesystem::is_regular_file(name));
    FAIL() << "a name of 300 characters";
  } catch (const std::exception& exception) {
    const Error error = Error::from(exception);
    EXPECT_EQ(error.what(), name + ": File name too long");
    EXPECT_EQ(error.code(), ExitCode::kUsage);
  }
}

TEST(Error, MessagesAreOneLine) {
  const Error error(ExitCode::kUsage, std::string("name \"a\nb\r\x1b\x7f\0\xc3\xbc\"", 16));
  EXPECT_STREQ(error.what(), "name \"a\\x0ab\\x0d\\x1b\\x7f\\x00\xc3\xbc\"");
  EXPECT_STREQ(error.within("tab\t").what(),
               "tab\\x09: name \"a\\x0ab\\x0d\\x1b\\x7f\\x00\xc3\xbc\"");
}

}  // namespace
}  // namespace lockstep
