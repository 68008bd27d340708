// Archives of files: tar, plain or packed by gzip, bzip2, xz or zstd, and zip; by libarchive.
//
// What counts are regular files. Folders are passed over, and so is what file systems put
// beside the files: a name with a part that begins with a dot ("._a.png", ".DS_Store") or is
// "__MACOSX". All else is refused, never left out in silence: links, devices, sparse files,
// encrypted members, names that are absolute or have a part "..", two members of one name.
//
// A reader keeps a member at a time. What a file says of sizes is believed when the bytes are
// there: memory grows as they come. Names take memory that the file's own size does not bound,
// since headers pack well: kMostNameBytes does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/core/share.h"

namespace lockstep {

inline constexpr std::uint64_t kMostMemberBytes = 128u << 20;
// Of the list of an archive: the names, and kMemberOverheadBytes for each.
inline constexpr std::uint64_t kMostNameBytes = 2u << 30;
inline constexpr std::uint64_t kMemberOverheadBytes = 64;

struct ArchiveMember {
  std::string name;            // as stored, without "./" at its beginning
  std::uint64_t bytes = 0;     // unpacked, as the archive says; read_archive() checks it
  std::uint64_t position = 0;  // where reading can begin; 0 where it cannot but at the start

  bool operator==(const ArchiveMember&) const = default;
};

// Whether `file` begins as an archive does, also one in a packing: a gzipped tar does, a
// gzipped text does not. Any thread.
bool is_archive(std::string_view file);

// The members that count, in the order of the archive. Any thread. Error (2): "FILE: ..." or
// "FILE:MEMBER: ...".
std::vector<ArchiveMember> list_archive(const std::string& path);

// Whether the name of any member that counts is such a one; looks no further than that. Any
// thread. Errors (2) as above.
bool any_member(const std::string& path, bool (*is_such)(std::string_view name));

// The members in `range` of what list_archive() gave, one after the other: their index in
// `members`, and their content, which lies in a buffer until `visit` returns. Those before are
// passed over: in a plain tar and in a zip without reading them, in a packed tar by unpacking.
// Any thread; several may read the same archive. Errors (2) as above; what `visit` throws.
using VisitMember = std::function<void(std::int64_t index, std::span<const std::byte> content)>;
void read_archive(const std::string& path, std::span<const ArchiveMember> members, Range range,
                  const VisitMember& visit);

// The bytes of `member` where they lie uncompressed in `file`, a mapped zip archive; none where
// they are compressed, or there is no such member. Any thread. Their CRC is not looked at.
std::optional<std::string_view> stored_member(std::string_view file, const std::string& path,
                                              const std::string& member);

}  // namespace lockstep
