// The rows of the steps to come, against where they must not be overwritten: on the accelerator
// under test, and on one whose copies are made as soon, or as late, as their order allows.

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <stdexcept>
#include <utility>

#include "gpu/host/late_accelerator.h"
#include "gpu/row_stream.h"

namespace lockstep {
namespace {

constexpr std::size_t kBytes = 997;

std::byte byte_of(std::int64_t step, std::size_t index) {
  return static_cast<std::byte>(static_cast<std::size_t>(step * 31) + index * 7 + 1);
}

std::vector<std::byte> rows_of(std::int64_t step) {
  std::vector<std::byte> rows(kBytes);
  for (std::size_t i = 0; i < kBytes; ++i) rows[i] = byte_of(step, i);
  return rows;
}

void gather(std::int64_t step, std::span<std::byte> to) {
  const std::vector<std::byte> rows = rows_of(step);
  std::copy(rows.begin(), rows.end(), to.begin());
}

// Steps that keep what they read, done late.
class Steps {
 public:
  explicit Steps(CopyTime copies, FeedFault fault = FeedFault::kNone,
                 RowStream::Gather gathering = gather)
      : accelerator_(make_late_accelerator(copies, fault)),
        stream_(std::make_unique<RowStream>(
            accelerator_->make_feed(memory_.data(), kBytes, RowStream::kPlaces),
            std::move(gathering))) {}

  // Enqueues one.
  void step(std::int64_t number) {
    begin(number);
    stream_->end_step();
  }
  void begin(std::int64_t number) {
    const int place = stream_->begin_step(number);
    recordings_.push_back(accelerator_->record([this, number, place] {
      const auto first = memory_.begin() + place * static_cast<std::ptrdiff_t>(kBytes);
      read_[number] = {first, first + kBytes};
    }));
    recordings_.back()->replay();
  }

  void wait() { accelerator_->wait(); }

  // What the step has read is what it should have.
  bool is_right(std::int64_t number) const { return read_.at(number) == rows_of(number); }

 private:
  std::vector<std::byte> memory_ = std::vector<std::byte>(RowStream::kPlaces * kBytes);
  std::unique_ptr<Accelerator> accelerator_;
  std::map<std::int64_t, std::vector<std::byte>> read_;
  std::vector<std::unique_ptr<Recording>> recordings_;
  std::unique_ptr<RowStream> stream_;
};

TEST(RowStream, EachStepReadsItsRows) {
  for (const CopyTime copies : {CopyTime::kSoon, CopyTime::kLate}) {
    Steps steps(copies);
    // As many as can be enqueued before any is done.
    for (std::int64_t number = 0; number < 3; ++number) steps.step(number);
    steps.wait();
    for (std::int64_t number = 0; number < 3; ++number) EXPECT_TRUE(steps.is_right(number));
    for (const std::int64_t number : {3, 4, 5, 6, 20, 21, 4, 9, 10, 11, 0}) {
      steps.step(number);
      steps.wait();
      EXPECT_TRUE(steps.is_right(number)) << number;
    }
  }
}

// What a step reads where an order is not kept: so the test above can fail.
TEST(RowStream, AForgottenOrderGivesOtherRows) {
  // Step 0 reads its rows late, and those of a step behind it are in their place by then.
  for (const auto& [copies, fault] : {std::pair(CopyTime::kSoon, FeedFault::kSentBeforeUsed),
                                      std::pair(CopyTime::kLate, FeedFault::kFilledBeforeSent)}) {
    Steps steps(copies, fault);
    for (std::int64_t number = 0; number < 3; ++number) steps.step(number);
    steps.wait();
    EXPECT_FALSE(steps.is_right(0));
  }
  for (const bool forgets : {false, true}) {
    Steps steps(CopyTime::kLate, forgets ? FeedFault::kUsedBeforeSent : FeedFault::kNone);
    steps.begin(0);
    steps.wait();
    EXPECT_EQ(steps.is_right(0), !forgets);
  }
}

TEST(RowStream, WhatGatheringThrowsComesOutOfItsStep) {
  Steps steps(CopyTime::kSoon, FeedFault::kNone, [](std::int64_t step, std::span<std::byte> to) {
    if (step == 2) throw std::runtime_error("row 7 is damaged");
    gather(step, to);
  });
  for (std::int64_t number = 0; number < 2; ++number) {
    steps.step(number);
    steps.wait();
    EXPECT_TRUE(steps.is_right(number));
  }
  EXPECT_THROW(steps.step(2), std::runtime_error);
  steps.step(5);  // another one is no worse for it
  steps.wait();
  EXPECT_TRUE(steps.is_right(5));
}

}  // namespace
}  // namespace lockstep
