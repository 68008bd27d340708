#include "data/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>

#include <algorithm>
#include <memory>
#include <numeric>

#include "lockstep/core/error.h"
#include "lockstep/core/files.h"

namespace lockstep {

namespace {

constexpr std::size_t kFirstBufferBytes = 64u << 10;

struct FreeReader {
  void operator()(archive* reader) const { archive_read_free(reader); }
};
using Reader = std::unique_ptr<archive, FreeReader>;

// libarchive takes names to and from the character set of the thread's locale, and drops those
// that do not fit; in this one they stay the bytes that they are.
class Utf8Locale {
 public:
  Utf8Locale() : own_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (own_ != nullptr) before_ = ::uselocale(own_);
  }
  ~Utf8Locale() {
    if (own_ == nullptr) return;
    ::uselocale(before_);
    ::freelocale(own_);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  locale_t own_;
  locale_t before_ = nullptr;
};

std::string reason_of(archive* reader) {
  const char* text = archive_error_string(reader);
  return text == nullptr ? "no reason given" : text;
}

Reader make_reader() {
  Reader owner(archive_read_new());
  archive* const reader = owner.get();
  if (reader == nullptr) fail_internal("no memory to read an archive");
  archive_read_support_format_tar(reader);
  archive_read_support_format_zip_seekable(reader);  // by its directory: without one, it is cut
  archive_read_support_filter_gzip(reader);
  archive_read_support_filter_bzip2(reader);
  archive_read_support_filter_xz(reader);
  archive_read_support_filter_zstd(reader);
  return owner;
}

// Nothing of the mapped file is copied. Fails for a file that is no archive.
bool opens(archive* reader, std::string_view file) {
  return archive_read_open_memory(reader, file.data(), file.size()) == ARCHIVE_OK;
}

// From its begin, or from the header of a member of a tar.
Reader open_reader(std::string_view file, const std::string& path, std::uint64_t position = 0) {
  Reader owner = make_reader();
  if (opens(owner.get(), file.substr(std::min<std::uint64_t>(position, file.size())))) return owner;
  fail_usage("{}: cannot be read as an archive: {}", path, reason_of(owner.get()));
}

// The name without "." parts, or none for a member that does not count.
std::optional<std::string> counted_name(std::string_view stored) {
  std::string name;
  while (!stored.empty()) {
    const std::size_t end = std::min(stored.find('/'), stored.size());
    const std::string_view part = stored.substr(0, end);
    stored.remove_prefix(std::min(end + 1, stored.size()));
    if (part.empty() || part == ".") continue;
    if ((part.starts_with('.') && part != "..") || part == "__MACOSX") return {};
    if (!name.empty()) name += '/';
    name += part;
  }
  return name;
}

bool climbs(std::string_view name) {
  return name == ".." || name.starts_with("../") || name.ends_with("/..") ||
         name.find("/../") != std::string_view::npos;
}

const char* kind_of(archive_entry* entry) {
  if (archive_entry_hardlink(entry) != nullptr) return "a hard link";
  switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
      return archive_entry_sparse_count(entry) > 0 ? "a sparse file" : nullptr;
    case AE_IFLNK:
      return "a symbolic link";
    case AE_IFCHR:
    case AE_IFBLK:
      return "a device";
    case AE_IFIFO:
      return "a pipe";
    default:
      return "of an unknown kind";
  }
}

// Goes through the members of a mapped archive, from its start or from one of them.
class ArchiveReader {
 public:
  ArchiveReader(std::string_view file, const std::string& path, std::uint64_t position = 0);

  // The next member that counts, or none behind the last.
  std::optional<ArchiveMember> next();

  // The content of that member, in a buffer that the next call uses again.
  std::span<const std::byte> content(const ArchiveMember& member);

 private:
  bool is_tar() const {
    return (archive_format(archive_.get()) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_TAR;
  }
  // Whether reading can begin at a member: nothing packs the archive, and nothing ahead of the
  // members, such as a list of them, is needed.
  bool begins_anywhere() const {
    return is_tar() && archive_filter_code(archive_.get(), 0) == ARCHIVE_FILTER_NONE;
  }
  [[noreturn]] void fail_damaged(const std::string& place) const;
  void check_end(std::int64_t read_before) const;
  std::optional<ArchiveMember> counted(archive_entry* entry) const;

  Utf8Locale locale_;
  const std::string& path_;
  std::uint64_t base_;  // of positions that libarchive gives
  std::string last_;    // name of the member before, as stored
  std::vector<std::byte> buffer_;
  Reader archive_;
};

ArchiveReader::ArchiveReader(std::string_view file, const std::string& path, std::uint64_t position)
    : path_(path), base_(position), archive_(open_reader(file, path, position)) {}

void ArchiveReader::fail_damaged(const std::string& place) const {
  fail_usage("{}: damaged: {}", place, reason_of(archive_.get()));
}

// A tar that was cut between two members looks whole but for the blocks of zeros at its end.
void ArchiveReader::check_end(std::int64_t read_before) const {
  if (!is_tar() || archive_filter_bytes(archive_.get(), 0) > read_before) return;
  fail_usage("{}: ends without the blocks of zeros that close a tar archive; expected a whole one",
             path_);
}

std::optional<ArchiveMember> ArchiveReader::counted(archive_entry* entry) const {
  const char* stored = archive_entry_pathname(entry);
  if (stored == nullptr) fail_usage("{}: a member has no name that can be read", path_);
  if (archive_entry_filetype(entry) == AE_IFDIR) return {};
  const std::optional<std::string> name = counted_name(stored);
  if (!name) return {};
  if (name->empty() || stored[0] == '/' || climbs(*name)) {
    fail_usage("{}:{}: expected a name below the archive's root, without \"..\"", path_, stored);
  }
  if (const char* kind = kind_of(entry)) {
    fail_usage("{}:{}: is {}; expected a regular file", path_, *name, kind);
  }
  if (archive_entry_is_encrypted(entry) != 0) {
    fail_usage("{}:{}: is encrypted; expected a member without a password", path_, *name);
  }
  const std::int64_t bytes = archive_entry_size_is_set(entry) != 0 ? archive_entry_size(entry) : -1;
  if (bytes < 0) fail_usage("{}:{}: has no size", path_, *name);
  if (static_cast<std::uint64_t>(bytes) > kMostMemberBytes) {
    fail_usage("{}:{}: {} bytes; expected at most {}", path_, *name, bytes, kMostMemberBytes);
  }
  ArchiveMember member{*name, static_cast<std::uint64_t>(bytes), 0};
  if (begins_anywhere()) {
    member.position =
        base_ + static_cast<std::uint64_t>(archive_read_header_position(archive_.get()));
  }
  return member;
}

std::optional<ArchiveMember> ArchiveReader::next() {
  archive* const reader = archive_.get();
  for (;;) {
    // The member before is passed over here, so that what is read next is a header.
    if (!last_.empty() && archive_read_data_skip(reader) < ARCHIVE_WARN) {
      fail_damaged(path_ + ":" + last_);
    }
    const std::int64_t read_before = archive_filter_bytes(reader, 0);
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(reader, &entry);
    if (status == ARCHIVE_EOF) {
      check_end(read_before);
      return {};
    }
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) {
      fail_damaged(path_);
    }
    const char* name = archive_entry_pathname(entry);
    last_ = name == nullptr || *name == '\0' ? "?" : name;
    if (auto member = counted(entry)) return member;
  }
}

std::span<const std::byte> ArchiveReader::content(const ArchiveMember& member) {
  std::size_t filled = 0;
  for (;;) {
    if (filled == buffer_.size()) {
      const std::size_t wanted = std::max(kFirstBufferBytes, 2 * filled);
      // One more byte than there should be, to see that there is no more.
      buffer_.resize(std::max(filled + 1, std::min<std::size_t>(wanted, member.bytes + 1)));
    }
    const auto got =
        archive_read_data(archive_.get(), buffer_.data() + filled, buffer_.size() - filled);
    if (got < 0) fail_damaged(path_ + ":" + member.name);
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
    if (filled > member.bytes) break;
  }
  if (filled != member.bytes) {
    fail_usage("{}:{}: damaged: expected {} bytes, of which there are {}{}", path_, member.name,
               member.bytes, filled > member.bytes ? "at least " : "", filled);
  }
  return std::span(buffer_).first(filled);
}

void check_unique(const std::string& path, std::span<const ArchiveMember> members) {
  std::vector<std::uint32_t> order(members.size());
  std::iota(order.begin(), order.end(), 0u);
  const auto name = [&](std::uint32_t i) -> const std::string& { return members[i].name; };
  std::ranges::sort(order, {}, name);
  const auto twice = std::ranges::adjacent_find(order, {}, name);
  if (twice != order.end()) fail_usage("{}:{}: occurs twice", path, name(*twice));
}

}  // namespace

bool is_archive(std::string_view file) {
  const Reader reader = make_reader();
  return opens(reader.get(), file);
}

std::vector<ArchiveMember> list_archive(const std::string& path) {
  const MappedFile file(path);
  ArchiveReader reader(file.text(), path);
  std::vector<ArchiveMember> members;
  std::uint64_t name_bytes = 0;
  while (auto member = reader.next()) {
    name_bytes += member->name.size() + kMemberOverheadBytes;
    if (name_bytes > kMostNameBytes) {
      fail_usage("{}: its members' names take more than {} bytes", path, kMostNameBytes);
    }
    members.push_back(std::move(*member));
  }
  check_unique(path, members);
  return members;
}

bool any_member(const std::string& path, bool (*is_such)(std::string_view name)) {
  const MappedFile file(path);
  ArchiveReader reader(file.text(), path);
  while (const auto member = reader.next()) {
    if (is_such(member->name)) return true;
  }
  return false;
}

namespace {

// Whether reading finds `member` where it lies: its header need not look as the first one would.
bool begins_at(std::string_view file, const std::string& path, const ArchiveMember& member) {
  if (member.position == 0) return false;
  try {
    return ArchiveReader(file, path, member.position).next() == member;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

void read_archive(const std::string& path, std::span<const ArchiveMember> members, Range range,
                  const VisitMember& visit) {
  if (range.first >= range.last) return;
  const MappedFile file(path);
  const auto first = static_cast<std::size_t>(range.first);
  const std::uint64_t position =
      begins_at(file.text(), path, members[first]) ? members[first].position : 0;
  ArchiveReader reader(file.text(), path, position);
  for (std::size_t i = position > 0 ? first : 0; i < static_cast<std::size_t>(range.last); ++i) {
    const std::optional<ArchiveMember> member = reader.next();
    if (member != members[i]) {
      fail_usage("{}:{}: is not where it was; the archive has changed", path, members[i].name);
    }
    if (i >= first) visit(static_cast<std::int64_t>(i), reader.content(*member));
  }
}

std::optional<std::string_view> stored_member(std::string_view file, const std::string& path,
                                              const std::string& member) {
  const Utf8Locale locale;
  const Reader owner = open_reader(file, path);
  archive* const reader = owner.get();
  archive_entry* entry = nullptr;
  for (;;) {
    const int status = archive_read_next_header(reader, &entry);
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) return {};
    const char* name = archive_entry_pathname(entry);
    if (name == nullptr || name != member) continue;
    const auto bytes = static_cast<std::uint64_t>(archive_entry_size(entry));
    const void* data = nullptr;
    std::size_t block_bytes = 0;
    la_int64_t offset = 0;
    if (archive_read_data_block(reader, &data, &block_bytes, &offset) != ARCHIVE_OK) return {};
    // What was not inflated lies in the file itself.
    const auto at = reinterpret_cast<std::uintptr_t>(data);
    const auto begin = reinterpret_cast<std::uintptr_t>(file.data());
    if (at < begin || at > begin + file.size() || bytes > begin + file.size() - at) return {};
    return file.substr(at - begin, bytes);
  }
}

}  // namespace lockstep
