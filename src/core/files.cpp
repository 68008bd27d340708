#include "lockstep/core/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <string>
#include <vector>

#include "lockstep/core/error.h"
#include "lockstep/core/reason.h"

namespace lockstep {

namespace {

// A file descriptor that closes itself.
class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags, ::mode_t mode = 0)
      : number_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int number() const { return number_; }
  bool open() const { return number_ >= 0; }

  // Closes now; false when the system reports a late write error.
  bool close() {
    const int number = number_;
    number_ = -1;
    return ::close(number) == 0;
  }

 private:
  int number_;
};

// To open a pipe would wait for who writes to it.
constexpr int kReading = O_RDONLY | O_NONBLOCK;

// What is not there, or may not be seen, is the user's; all else is the machine's.
[[noreturn]] void fail_read(const fs::path& path, const char* what) {
  const int error = errno;
  constexpr std::array kNotThere = {ENOENT, ENOTDIR, EISDIR, ELOOP, ENAMETOOLONG};
  const std::string text = fmt::format("{}: {}: {}", path.string(), what, std::strerror(error));
  if (std::find(kNotThere.begin(), kNotThere.end(), error) != kNotThere.end()) {
    fail_usage("{}", text);
  }
  const bool forbidden = error == EACCES || error == EPERM;
  throw UnreadableFile(forbidden ? ExitCode::kUsage : ExitCode::kInternal, text);
}

[[noreturn]] void fail_write(const fs::path& path, const char* operation) {
  const int error = errno;
  fail_internal("{}: {} failed: {}", path.string(), operation, reason_of(error, path));
}

// The size of an open regular file in bytes.
std::size_t readable_bytes(const Descriptor& file, const fs::path& path) {
  if (!file.open()) fail_read(path, "cannot be opened");
  struct ::stat status {};
  if (::fstat(file.number(), &status) != 0) fail_read(path, "cannot be read");
  if (!S_ISREG(status.st_mode)) fail_usage("{}: is not a file", path.string());
  return static_cast<std::size_t>(status.st_size);
}

void write_all(const Descriptor& file, std::string_view content, const fs::path& path) {
  while (!content.empty()) {
    const ::ssize_t written = ::write(file.number(), content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_write(path, "write");
    content.remove_prefix(static_cast<std::size_t>(written));
  }
}

// The mapped files, for whom one of them is cut short while it is read: the system then sends
// SIGBUS where it cannot give what was mapped.
class CutFiles {
 public:
  CutFiles() {
    struct ::sigaction action {};
    action.sa_sigaction = [](int, ::siginfo_t* info, void*) { cut_files_end(info->si_addr); };
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGBUS, &action, nullptr);
  }

  void add(const char* data, std::size_t size, const std::string& name) {
    const std::lock_guard lock(mutex_);
    for (Mapping& each : mappings_) {
      if (each.data != nullptr) continue;
      const std::string line = fmt::format("lockstep: {}: was cut short while it was read\n", name);
      each.length = std::min(line.size(), each.line.size());
      std::memcpy(each.line.data(), line.data(), each.length);
      each.size = size;
      each.data = data;
      return;
    }
  }

  void remove(const char* data) {
    const std::lock_guard lock(mutex_);
    for (Mapping& each : mappings_) {
      if (each.data == data) each.data = nullptr;
    }
  }

  // Within the signal's handler.
  [[noreturn]] void end(const void* address) const {
    for (const Mapping& each : mappings_) {
      const char* data = each.data;
      if (data == nullptr || address < data || address >= data + each.size) continue;
      const ::ssize_t ignored = ::write(STDERR_FILENO, each.line.data(), each.length);
      ::_exit(ignored < 0 ? 1 : static_cast<int>(ExitCode::kUsage));
    }
    ::signal(SIGBUS, SIG_DFL);
    ::raise(SIGBUS);
    ::_exit(1);
  }

 private:
  struct Mapping {
    std::atomic<const char*> data = nullptr;
    std::size_t size = 0;
    std::array<char, 512> line{};
    std::size_t length = 0;
  };

  std::mutex mutex_;
  std::array<Mapping, 16> mappings_;

  static void cut_files_end(const void* address);
};

CutFiles& cut_files() {
  static auto* files = new CutFiles;  // it must outlive every mapping
  return *files;
}

void CutFiles::cut_files_end(const void* address) { cut_files().end(address); }

// A file of its own, whatever had the name: to open a link would write elsewhere. `shown` is
// what the user knows it by; 0 is the usual mode.
void write_new_file(const fs::path& path, std::string_view content, const fs::path& shown,
                    ::mode_t mode) {
  ::unlink(path.c_str());
  Descriptor file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
  if (!file.open()) fail_write(shown, "open for writing");
  if (mode != 0 && ::fchmod(file.number(), mode) != 0) fail_write(shown, "change of mode");
  write_all(file, content, shown);
  if (::fsync(file.number()) != 0) fail_write(shown, "sync");
  if (!file.close()) fail_write(shown, "close");
}

}  // namespace

std::string read_file(const fs::path& path) {
  const Descriptor file(path, kReading);
  std::string content(readable_bytes(file, path), '\0');
  std::size_t have = 0;
  while (have < content.size()) {
    const ::ssize_t got = ::read(file.number(), content.data() + have, content.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_read(path, "cannot be read");
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  content.resize(have);
  return content;
}

void write_file_durably(const fs::path& path, std::string_view content) {
  write_new_file(path, content, path, 0);
}

void write_file_atomically(const fs::path& path, std::string_view content) {
  struct ::stat status {};
  const bool exists = ::lstat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
  const fs::path temporary = path.parent_path() / fmt::format(".{}.{}{}", path.filename().string(),
                                                              ::getpid(), kTemporaryEnding);
  try {
    write_new_file(temporary, content, path, exists ? status.st_mode & 07777U : 0);
    if (::rename(temporary.c_str(), path.c_str()) != 0) fail_write(path, "rename");
  } catch (const Error&) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_folder(path.has_parent_path() ? path.parent_path() : fs::path("."));
}

void write_output_file(const fs::path& path, std::string_view content) {
  struct ::stat status {};
  const bool exists = ::stat(path.c_str(), &status) == 0;
  if (exists && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
    const Descriptor device(path, O_WRONLY);
    if (!device.open()) fail_write(path, "open for writing");
    return write_all(device, content, path);
  }
  std::error_code none;
  write_file_atomically(fs::is_symlink(path, none) ? fs::weakly_canonical(path, none) : path,
                        content);
}

void remove_temporary_files(const fs::path& folder) {
  std::error_code none;
  std::vector<fs::path> left;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with('.') && name.ends_with(kTemporaryEnding)) left.push_back(entry.path());
  }
  for (const fs::path& each : left) ::unlink(each.c_str());
}

void sync_folder(const fs::path& folder) {
  const Descriptor directory(folder, O_RDONLY | O_DIRECTORY);
  if (!directory.open()) fail_write(folder, "open folder");
  if (::fsync(directory.number()) != 0) fail_write(folder, "sync folder");
}

MappedFile::MappedFile(const fs::path& path) {
  const Descriptor file(path, kReading);
  size_ = readable_bytes(file, path);
  if (size_ == 0) return;
  void* memory = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.number(), 0);
  if (memory == MAP_FAILED) fail_read(path, "cannot be mapped");
  data_ = static_cast<const char*>(memory);
  cut_files().add(data_, size_, path.string());
}

MappedFile::~MappedFile() {
  if (data_ == nullptr) return;
  cut_files().remove(data_);
  ::munmap(const_cast<char*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept : data_(other.data_), size_(other.size_) {
  other.data_ = nullptr;
  other.size_ = 0;
}

std::uint64_t file_bytes(const fs::path& path) {
  struct ::stat status {};
  if (::stat(path.c_str(), &status) != 0) fail_read(path, "cannot be read");
  if (!S_ISREG(status.st_mode)) fail_usage("{}: is not a file", path.string());
  return static_cast<std::uint64_t>(status.st_size);
}

}  // namespace lockstep
