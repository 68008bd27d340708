#include "data/mapped_rows.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "lockstep/core/error.h"

namespace lockstep {

namespace {

void advise(std::uintptr_t first, std::uintptr_t last, int advice) {
  ::madvise(reinterpret_cast<void*>(first), last - first, advice);  // a wish
}

}  // namespace

MappedRows::MappedRows(std::shared_ptr<const RowsFile> file, std::int64_t first_number,
                       const Settings& settings)
    : file_(std::move(file)),
      first_number_(first_number),
      settings_(settings),
      descriptor_(::open(file_->name().c_str(), O_RDONLY | O_CLOEXEC)),
      page_bytes_(static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE))) {
  // A fault would else bring in what lies around a row, which is of no use. Pages that came
  // together can only leave together, so those that are there leave now.
  const std::uintptr_t first = (first_pixel() - kRowsHeadBytes) / page_bytes_;
  const Pages all{first, first + (file_->layout().file_bytes + page_bytes_ - 1) / page_bytes_};
  advise(all.first * page_bytes_, all.last * page_bytes_, MADV_RANDOM);
  if (settings_.used == UsedRows::kGivenBack) drop(all);
  thread_ = std::thread([this] { run(); });
}

MappedRows::~MappedRows() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  asked_.notify_one();
  thread_.join();
  if (descriptor_ >= 0) ::close(descriptor_);
}

PixelView MappedRows::row(std::uint64_t number) const {
  const auto pixels = file_->pixels(static_cast<std::int64_t>(number) - first_number_);
  const PixelType type = file_->facts().type;
  return {type, pixels.data(), pixels.size() / bytes_of(type)};
}

void MappedRows::expect(std::vector<std::uint64_t> numbers) const {
  push(Wish::kExpect, std::move(numbers));
}

void MappedRows::give_back(std::vector<std::uint64_t> numbers) const {
  if (settings_.used == UsedRows::kGivenBack) push(Wish::kGiveBack, std::move(numbers));
}

std::int64_t MappedRows::steps_ahead(std::int64_t rows) const {
  constexpr std::uint64_t kMost = 8;
  const std::uint64_t bytes_of_step = static_cast<std::uint64_t>(std::max<std::int64_t>(rows, 1)) *
                                      (file_->row_bytes() + page_bytes_);
  // Beside what is expected there is what is used.
  const std::uint64_t fitting = settings_.memory_bytes / 2 / bytes_of_step;
  return static_cast<std::int64_t>(std::clamp<std::uint64_t>(fitting, 1, kMost));
}

void MappedRows::push(Wish wish, std::vector<std::uint64_t> numbers) const {
  if (numbers.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back({wish, std::move(numbers)});
  }
  asked_.notify_one();
}

// What was asked for comes first; then, while nothing is, the thread waits for the disk.
void MappedRows::run() {
  while (true) {
    Request request;
    {
      std::unique_lock lock(mutex_);
      asked_.wait(lock, [&] { return ends_ || !requests_.empty() || !under_way_.empty(); });
      if (!requests_.empty()) {
        request = std::move(requests_.front());
        requests_.pop_front();
      } else if (ends_) {
        return;
      }
    }
    if (request.numbers.empty()) {
      touch(under_way_.front());
      under_way_.pop_front();
    } else if (request.wish == Wish::kExpect) {
      std::ranges::sort(request.numbers);
      expect_pages(request);
      under_way_.push_back(std::move(request));
    } else {
      give_back_pages(request);
    }
  }
}

std::uintptr_t MappedRows::first_pixel() const {
  return reinterpret_cast<std::uintptr_t>(file_->pixel_bytes().data());
}

MappedRows::Pages MappedRows::pages_of(std::uint64_t number) const {
  const auto row = static_cast<std::size_t>(static_cast<std::int64_t>(number) - first_number_);
  const std::uintptr_t first = first_pixel() + row * file_->row_bytes();
  const std::uintptr_t last = first + file_->row_bytes();
  return {first / page_bytes_, (last + page_bytes_ - 1) / page_bytes_};
}

void MappedRows::expect_pages(const Request& request) {
  for (const std::uint64_t number : request.numbers) {
    const Pages pages = pages_of(number);
    advise(pages.first * page_bytes_, pages.last * page_bytes_, MADV_WILLNEED);
    if (settings_.used == UsedRows::kKept) continue;
    for (std::uintptr_t page = pages.first; page < pages.last; ++page) ++expected_[page];
  }
}

// Whether no other expected row lies on the page as well.
bool MappedRows::leaves(std::uintptr_t page) {
  const auto found = expected_.find(page);
  if (found == expected_.end()) return true;
  if (--found->second > 0) return false;
  expected_.erase(found);
  return true;
}

void MappedRows::drop(const Pages& pages) const {
  if (pages.first == pages.last) return;
  const std::uintptr_t first = pages.first * page_bytes_;
  const std::uintptr_t bytes = pages.last * page_bytes_ - first;
  advise(first, first + bytes, MADV_DONTNEED);
  const auto offset = static_cast<::off_t>(first - (first_pixel() - kRowsHeadBytes));
  ::posix_fadvise(descriptor_, offset, static_cast<::off_t>(bytes), POSIX_FADV_DONTNEED);
}

void MappedRows::give_back_pages(const Request& request) {
  for (const std::uint64_t number : request.numbers) {
    const Pages pages = pages_of(number);
    Pages run{pages.first, pages.first};
    for (std::uintptr_t page = pages.first; page < pages.last; ++page) {
      if (!leaves(page)) {
        drop(run);
        run.first = page + 1;
      }
      run.last = page + 1;
    }
    drop(run);
  }
}

// What was used and given back meanwhile would only come again.
void MappedRows::touch(const Request& request) const {
  for (const std::uint64_t number : request.numbers) {
    const Pages pages = pages_of(number);
    for (std::uintptr_t page = pages.first; page < pages.last; ++page) {
      if (settings_.used == UsedRows::kGivenBack && !expected_.contains(page)) continue;
      static_cast<void>(*reinterpret_cast<const volatile std::byte*>(page * page_bytes_));
    }
  }
}

}  // namespace lockstep
