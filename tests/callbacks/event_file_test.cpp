#include "lockstep/callbacks/event_file.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "callbacks/event_messages.h"
#include "callbacks/events.h"
#include "lockstep/core/error.h"
#include "support/file_size_limit.h"

namespace lockstep {
namespace {

using namespace std::string_literals;

// The contents of a file's records.
std::vector<std::string> events_of(const fs::path& path) {
  const std::string content = read_file(path);
  std::vector<std::string> events;
  for (std::size_t at = 0; at < content.size();) {
    std::uint64_t length = 0;
    std::memcpy(&length, content.data() + at, sizeof(length));
    events.push_back(content.substr(at + 12, length));
    EXPECT_EQ(content.substr(at, 12 + length + 4), record_of(events.back()));
    at += 12 + length + 4;
  }
  return events;
}

class EventFileTest : public FolderTest {};

// The check value of CRC-32C, its sum of "123456789", is 0xE3069283.
TEST(RecordOf, FramesByLengthAndMaskedSums) {
  const std::string record = record_of("123456789");
  ASSERT_EQ(record.size(), 8U + 4 + 9 + 4);
  EXPECT_EQ(record.substr(0, 8), "\x09\0\0\0\0\0\0\0"s);
  EXPECT_EQ(record.substr(12, 9), "123456789");
  EXPECT_EQ(record.substr(21), "\xE5\xB0\x8A\xC7"s);
}

TEST(SummaryEvent, HasTheFieldsInTheWireFormat) {
  // wall_time 1: 2.5; step 2: 300; summary 5 { value 1 { tag 1: "a", simple_value 2: 0.5 } }
  EXPECT_EQ(summary_event(2.5, 300, scalar_value("a", 0.5F)),
            "\x09\0\0\0\0\0\0\x04\x40"
            "\x10\xAC\x02"
            "\x2A\x0A\x0A\x08\x0A\x01"
            "a\x15\0\0\0\x3F"s);
}

TEST_F(EventFileTest, BeginsWithTheVersion) {
  const EventFile file(folder_ / "events");
  const std::vector<std::string> events = events_of(file.path());
  ASSERT_EQ(events.size(), 1U);
  EXPECT_TRUE(
      events[0].ends_with("\x1A\x0D"
                          "brain.Event:2"));
}

TEST_F(EventFileTest, LaterFilesSortLater) {
  std::vector<std::string> names;
  for (int i = 0; i < 4; ++i) names.push_back(EventFile(folder_).path().filename().string());
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_EQ(std::unique(names.begin(), names.end()), names.end());
}

TEST_F(EventFileTest, RecordsAreThereAtOnce) {
  EventFile file(folder_);
  file.add_scalar("loss", 7, 0.25);
  EXPECT_EQ(events_of(file.path()).size(), 2U);
  file.restart(8);
  file.add_text("text", 8, "words");
  EXPECT_EQ(events_of(file.path()).size(), 4U);
}

TEST_F(EventFileTest, WritesLaterWhatAFullDiskDidNotTake) {
  EventFile file(folder_);
  file.add_text("text", 1, "one");
  const auto size = fs::file_size(file.path());
  {
    const FileSizeLimit limit(size + 20);  // part of a record
    file.add_text("text", 2, "two");
    file.add_text("text", 3, "three");
  }
  EXPECT_EQ(fs::file_size(file.path()), size + 20);
  file.add_text("text", 4, "four");
  const std::vector<std::string> events = events_of(file.path());
  ASSERT_EQ(events.size(), 5U);
  EXPECT_NE(events[2].find("two"), std::string::npos);
  EXPECT_NE(events[3].find("three"), std::string::npos);
  EXPECT_NE(events[4].find("four"), std::string::npos);
}

TEST_F(EventFileTest, RefusesPicturesThatAreNoPng) {
  EventFile file(folder_);
  for (const std::string& picture :
       {""s, "GIF89a and more than twenty-four bytes"s, "\x89PNG\r\n\x1A\n"s}) {
    EXPECT_THROW(file.add_image("picture", 1, picture), Error);
  }
  EXPECT_EQ(events_of(file.path()).size(), 1U);
}

TEST_F(EventFileTest, NamesAFolderThatCannotBeMade) {
  write_file_atomically(folder_ / "file", "");
  try {
    const EventFile file(folder_ / "file" / "events");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInternal);
    EXPECT_NE(std::string(error.what()).find("file/events"), std::string::npos);
  }
}

}  // namespace
}  // namespace lockstep
