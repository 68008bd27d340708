#include "data/row_cache.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>

#include "data/cache_trim.h"
#include "data/pack_rows.h"
#include "data/residence.h"
#include "data/rows_source.h"
#include "data/source_identity.h"
#include "data/source_settings.h"
#include "lockstep/core/error.h"

namespace lockstep {

namespace {

constexpr std::uint64_t kWorthUnpacked = 256u << 20;  // bytes of a text; less is soon unpacked

// Where a source's rows are kept, and what they must have been made of.
struct CachePlace {
  fs::path path;  // empty: nowhere
  std::string identity;
};

// Empty where the user has no folder of caches.
fs::path cache_folder(const std::string& setting) {
  if (setting != kAutoCache) return setting;
  const char* const caches = std::getenv("XDG_CACHE_HOME");
  if (caches != nullptr && fs::path(caches).is_absolute()) return fs::path(caches) / "lockstep";
  const char* const home = std::getenv("HOME");
  if (home == nullptr || !fs::path(home).is_absolute()) return {};
  return fs::path(home) / ".cache" / "lockstep";
}

CachePlace place_of(const SourceOptions& source, const DataOptions& options, Labels labels) {
  const fs::path folder = cache_folder(options.cache);
  if (folder.empty()) return {};
  const fs::path path = fs::weakly_canonical(source.path);
  std::string name = path.string() + '\n' + source.member + '\n' + source.labels + '\n' +
                     (labels == Labels::kRequired ? "labels\n" : "\n");
  for (const auto& [setting, value] : source_settings(options)) {
    name += fmt::format("{}={}:{}\n", setting, value.size(), value);
  }
  const std::string stem = path.has_stem() ? path.stem().string() : "rows";
  return {folder / fmt::format("{}-{}.rows", stem, digest_of(name).hex()), source_identity(source)};
}

// Collective: rank 0 looks at the source, once for all.
CachePlace find_place(Communicator& comm, const SourceOptions& source, const DataOptions& options,
                      Labels labels) {
  CachePlace place;
  comm.begin_long_work("looking at the data", 0);
  try {
    if (comm.rank() == 0) place = place_of(source, options, labels);
  } catch (const std::exception&) {
    place = {};  // what is wrong with the source its reader says better
  }
  place.path = broadcast_text(comm, place.path.string(), 0);
  place.identity = broadcast_text(comm, place.identity, 0);
  return place;
}

// Collective: what `work` threw on any rank, without throwing it.
std::optional<Error> fault_of(Communicator& comm, const std::function<void()>& work) {
  try {
    agree(comm, work);
  } catch (const Error& error) {
    if (error.code() == ExitCode::kPeer) throw;
    return error;
  }
  return std::nullopt;
}

void say(const Communicator& comm, const std::string& line) {
  if (comm.rank() == 0) spdlog::warn("{}", line);
}

// Local: this rank's share of the rows is as it was written.
void check_rows(const Communicator& comm, const RowsFile& file) {
  const Range mine = share_of(file.rows(), comm.world_size(), comm.rank());
  for (std::int64_t row = mine.first; row < mine.last; ++row) file.pixels(row);
}

// Collective: the file where it is there, whole and of this source; null where it must be made,
// with a line that says why if that is strange.
std::shared_ptr<const RowsFile> kept_rows(Communicator& comm, const CachePlace& place) {
  std::error_code none;
  std::int64_t missing = fs::exists(place.path, none) ? 0 : 1;
  comm.sum(std::span(&missing, 1));
  if (missing > 0) return nullptr;
  std::shared_ptr<const RowsFile> file;
  comm.begin_long_work("reading the data", kEachRank);
  const auto fault = fault_of(comm, [&] {
    file = std::make_shared<RowsFile>(place.path, Damaged::kRemoved);
    if (file->facts().source_digest != place.identity) {
      fail_usage("{}: was made of another state of {}", place.path.string(), file->facts().source);
    }
    // What stays in the file is checked when it is used.
    const auto ranks = static_cast<std::uint64_t>(comm.world_size());
    if (file->layout().file_bytes / ranks <= memory_for_rows(comm)) check_rows(comm, *file);
  });
  if (!fault) return file;
  say(comm, fmt::format("{}; made anew", fault->what()));
  return nullptr;
}

// Collective, the same on every rank.
bool is_worth_keeping(Communicator& comm, const Source& source, const DataOptions& options,
                      Labels labels) {
  if (options.cache != kAutoCache) return true;
  if (source.cost() == Cost::kDecode) return true;
  if (source.cost() == Cost::kUnpack && source.bytes() >= kWorthUnpacked) return true;
  std::int64_t too_many = 0;
  agree(comm, [&] {
    const auto ranks = static_cast<std::uint64_t>(comm.world_size());
    const std::uint64_t bytes = estimated_bytes(source, source.look(options, labels));
    too_many = bytes / ranks > memory_for_rows(comm) ? 1 : 0;
  });
  comm.sum(std::span(&too_many, 1));
  return too_many > 0;
}

// Collective: the file of the source's rows; null where it cannot be made, with a warning.
std::shared_ptr<const RowsFile> make_rows(Communicator& comm, const Source& source,
                                          const DataOptions& options, Labels labels,
                                          const CachePlace& place) {
  const std::uint64_t memory = agreed_round_bytes(comm);
  std::shared_ptr<const RowsFile> file;
  try {
    agree(comm, [&] {
      std::error_code none;
      if (comm.rank() == 0) fs::create_directories(place.path.parent_path(), none);
    });
    pack_rows(comm, source, options, labels, {place.path, place.identity, Synced::kNo, memory});
    agree(comm, [&] { file = std::make_shared<RowsFile>(place.path, Damaged::kRemoved); });
  } catch (const Error& error) {
    // A fault of the source is one of its reader too.
    if (error.code() != ExitCode::kInternal || error.reach() != Reach::kAgreed) throw;
    say(comm, fmt::format("decoded rows are not kept for the next start: {}", error.what()));
    return nullptr;
  }
  if (comm.rank() == 0) spdlog::info("decoded rows are kept in {}", place.path.string());
  return file;
}

// Collective: this file was used; those in the user's folder of caches that were not for long leave
// where there are too many. A folder that an experiment names is its own matter.
void note_use(Communicator& comm, const DataOptions& options, const CachePlace& place) {
  agree(comm, [&] {
    if (comm.rank() != 0 || options.cache != kAutoCache) return;
    const fs::path folder = place.path.parent_path();
    mark_used(place.path);
    trim_cache(folder, place.path, allowed_cache_bytes(folder));
  });
}

}  // namespace

std::unique_ptr<Source> open_decoded(Communicator& comm, const SourceOptions& source,
                                     const DataOptions& options, Labels labels) {
  if (options.cache == kNoCache) return open_source(comm, source);
  const CachePlace place = find_place(comm, source, options, labels);
  if (place.path.empty()) return open_source(comm, source);
  if (auto file = kept_rows(comm, place)) {
    note_use(comm, options, place);
    return cached_source(std::move(file));
  }
  auto opened = open_source(comm, source);
  if (std::string_view(opened->format()) == kRowsFormat) return opened;
  if (!is_worth_keeping(comm, *opened, options, labels)) return opened;
  auto file = make_rows(comm, *opened, options, labels, place);
  if (file == nullptr) return opened;
  note_use(comm, options, place);
  return cached_source(std::move(file));
}

}  // namespace lockstep
