// Rows that stay in their file: mapped, read ahead by a thread of its own, and given back once
// they were used.
//
// Shared by who uses the rows; safe from any thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "data/rows_file.h"
#include "lockstep/data/pixel_values.h"

namespace lockstep {

// Whether the system may keep rows in memory that were used, as long as it has room for them.
enum class UsedRows { kKept, kGivenBack };

class MappedRows {
 public:
  struct Settings {
    UsedRows used = UsedRows::kKept;
    std::uint64_t memory_bytes = 0;  // that expected and used rows may take
  };

  // A row's number is its index in the file, after `first_number`.
  MappedRows(std::shared_ptr<const RowsFile> file, std::int64_t first_number,
             const Settings& settings);
  ~MappedRows();
  MappedRows(const MappedRows&) = delete;
  MappedRows& operator=(const MappedRows&) = delete;

  // Waits for the disk unless the row was expected in time. Error (2): the file is damaged.
  PixelView row(std::uint64_t number) const;

  // These rows will be used, and these have been. Returns at once.
  void expect(std::vector<std::uint64_t> numbers) const;
  void give_back(std::vector<std::uint64_t> numbers) const;

  // How many steps that take `rows` each should be expected at a time.
  std::int64_t steps_ahead(std::int64_t rows) const;

 private:
  enum class Wish { kExpect, kGiveBack };
  struct Request {
    Wish wish;
    std::vector<std::uint64_t> numbers;
  };
  struct Pages {
    std::uintptr_t first;
    std::uintptr_t last;
  };

  void push(Wish wish, std::vector<std::uint64_t> numbers) const;
  void run();
  void expect_pages(const Request& request);
  bool leaves(std::uintptr_t page);
  void drop(const Pages& pages) const;
  void give_back_pages(const Request& request);
  void touch(const Request& request) const;
  std::uintptr_t first_pixel() const;
  Pages pages_of(std::uint64_t number) const;

  std::shared_ptr<const RowsFile> file_;
  std::int64_t first_number_;
  Settings settings_;
  int descriptor_;
  std::uintptr_t page_bytes_;

  mutable std::mutex mutex_;
  mutable std::condition_variable asked_;
  mutable std::deque<Request> requests_;
  bool ends_ = false;

  // The thread's own: how often pages are expected, and what was not yet waited for.
  std::unordered_map<std::uintptr_t, std::int64_t> expected_;
  std::deque<Request> under_way_;
  std::thread thread_;
};

}  // namespace lockstep
