#include "data/zip_member.h"

#include <zip.h>

#include <algorithm>
#include <vector>

#include "data/archive.h"
#include "data/deflate.h"
#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "lockstep/core/names.h"

namespace lockstep {

namespace {

zip_t* open_archive(const std::string& path) {
  file_bytes(path);  // a missing file gets the same words everywhere
  int code = 0;
  zip_t* archive = zip_open(path.c_str(), ZIP_RDONLY, &code);
  if (archive != nullptr) return archive;
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  const std::string reason = zip_error_strerror(&error);
  zip_error_fini(&error);
  fail_usage("{}: cannot be read as a zip archive: {}", path, reason);
}

std::vector<std::string> member_names(zip_t* archive) {
  std::vector<std::string> names;
  const zip_int64_t entries = zip_get_num_entries(archive, 0);
  for (zip_int64_t i = 0; i < entries; ++i) {
    const char* name = zip_get_name(archive, static_cast<zip_uint64_t>(i), 0);
    if (name != nullptr) names.emplace_back(name);
  }
  return names;
}

std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 10;
  if (names.empty()) return "(none)";
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < kMost; ++i) {
    text += (i == 0 ? "" : ", ") + names[i];
  }
  return names.size() > kMost ? fmt::format("{} and {} more", text, names.size() - kMost) : text;
}

}  // namespace

void ZipMember::Close::operator()(zip* archive) const { zip_discard(archive); }

ZipMember::ZipMember(const std::string& path, const std::string& member, std::string_view file)
    : name_(path + ":" + member), archive_(open_archive(path)) {
  const zip_int64_t index = zip_name_locate(archive_.get(), member.c_str(), 0);
  if (index < 0) {
    const std::vector<std::string> names = member_names(archive_.get());
    fail_usage("{}: has no member \"{}\"{}; its members: {}", path, member,
               did_you_mean(member, names), listed(names));
  }
  zip_stat_t status;
  zip_stat_init(&status);
  index_ = static_cast<std::uint64_t>(index);
  constexpr zip_uint64_t kNeeded = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_CRC |
                                   ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
  if (zip_stat_index(archive_.get(), index_, 0, &status) != 0 ||
      (status.valid & kNeeded) != kNeeded) {
    fail_damaged();
  }
  if (status.encryption_method != ZIP_EM_NONE) {
    fail_usage("{}: is encrypted; expected a member without a password", name_);
  }
  if (status.comp_method != ZIP_CM_DEFLATE && status.comp_method != ZIP_CM_STORE) {
    fail_usage("{}: is compressed by method {}; expected {} (Deflate) or {} (stored)", name_,
               status.comp_method, ZIP_CM_DEFLATE, ZIP_CM_STORE);
  }
  deflated_ = status.comp_method == ZIP_CM_DEFLATE;
  bytes_ = status.size;
  packed_bytes_ = status.comp_size;
  crc_ = status.crc;
  if (packed_bytes_ > file_bytes(path) ||
      bytes_ > packed_bytes_ * (deflated_ ? kMaxDeflateRatio : 1)) {
    fail_damaged();
  }
  if (file.empty() || deflated_) return;
  if (const auto found = stored_member(file, path, member)) {
    if (found->size() != bytes_) fail_damaged();
    stored_ = *found;
  }
}

void ZipMember::fail_damaged() const {
  fail_usage("{}: damaged: it does not inflate to the size and CRC that the archive gives", name_);
}

// What shrinks so much is rare, and then is inflated twice: once to see that it is there.
void ZipMember::check_bytes() const {
  constexpr std::uint64_t kUsualRatio = 16;
  constexpr std::size_t kBlockBytes = 1u << 20;
  if (bytes_ <= std::max<std::uint64_t>(packed_bytes_ * kUsualRatio, kBlockBytes)) return;
  const std::unique_ptr<zip_file_t, decltype(&zip_fclose)> file(
      zip_fopen_index(archive_.get(), index_, 0), &zip_fclose);
  if (!file) fail_damaged();
  std::vector<std::byte> block(kBlockBytes);
  std::uint64_t seen = 0;
  for (zip_int64_t got = 1; got > 0 && seen <= bytes_; seen += static_cast<std::uint64_t>(got)) {
    got = zip_fread(file.get(), block.data(), block.size());
    if (got < 0) fail_damaged();
  }
  if (seen != bytes_) fail_damaged();
}

void ZipMember::inflate(std::span<std::byte> out) const {
  const std::unique_ptr<zip_file_t, decltype(&zip_fclose)> file(
      zip_fopen_index(archive_.get(), index_, ZIP_FL_COMPRESSED), &zip_fclose);
  if (!file) fail_damaged();
  std::vector<std::byte> packed(packed_bytes_);
  if (zip_fread(file.get(), packed.data(), packed.size()) !=
      static_cast<zip_int64_t>(packed.size())) {
    fail_damaged();
  }
  if (deflated_) {
    const Inflater inflater = make_inflater(name_);
    if (libdeflate_deflate_decompress(inflater.get(), packed.data(), packed.size(), out.data(),
                                      out.size(), nullptr) != LIBDEFLATE_SUCCESS) {
      fail_damaged();
    }
  } else if (packed.size() == out.size()) {
    std::copy(packed.begin(), packed.end(), out.begin());
  } else {
    fail_damaged();
  }
  if (libdeflate_crc32(0, out.data(), out.size()) != crc_) fail_damaged();
}

const Packing kZip = {.recognizes =
                          [](std::string_view file, const std::string& member) {
                            return !member.empty() || file.starts_with("PK\x03\x04");
                          },
                      .open = [](const std::string& path, const std::string& member,
                                 const MappedFile& file) -> std::unique_ptr<PackedFile> {
                        if (!member.empty()) {
                          return std::make_unique<ZipMember>(path, member, file.text());
                        }
                        fail_usage("{}: is a zip archive; expected the name of a member too: {}",
                                   path, zip_member_names(path));
                      }};

std::vector<std::string> members_of_zip(const std::string& path) {
  const std::unique_ptr<zip_t, decltype(&zip_discard)> archive(open_archive(path), &zip_discard);
  return member_names(archive.get());
}

std::string zip_member_names(const std::string& path) { return listed(members_of_zip(path)); }

}  // namespace lockstep
