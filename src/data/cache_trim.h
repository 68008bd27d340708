// The folder of caches is kept from growing without an end. Local; what fails is left as it is.
#pragma once

#include <cstdint>
#include <filesystem>

namespace lockstep {

namespace fs = std::filesystem;

// From now on this file of rows is the one that was used last.
void mark_used(const fs::path& file);

// The bytes that the files of rows in the folder may take: LOCKSTEP_CACHE_SIZE, or half of what
// they would find free if there were none. Error (2): that variable is no whole number.
std::uint64_t allowed_cache_bytes(const fs::path& folder);

// While it exists, trim_cache() of any process leaves the file where it is.
class CacheUse {
 public:
  explicit CacheUse(const fs::path& file);
  ~CacheUse();
  CacheUse(const CacheUse&) = delete;
  CacheUse& operator=(const CacheUse&) = delete;

 private:
  int file_;  // -1: it cannot be opened
};

// Removes those of the folder's files of rows that were used longest ago, until the others take at
// most `most_bytes`; `kept` stays, and so does what is in use. Others' files are not looked at.
void trim_cache(const fs::path& folder, const fs::path& kept, std::uint64_t most_bytes);

}  // namespace lockstep
