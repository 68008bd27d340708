#include "data/source_text.h"

#include <libdeflate.h>
#include <zlib.h>

#include <array>
#include <span>
#include <vector>

#include "data/packed_file.h"
#include "lockstep/core/error.h"
#include "lockstep/core/free_memory.h"
#include "lockstep/core/share.h"

namespace lockstep {

namespace {

constexpr std::array kPackings = {&kZip, &kGzip};

// Every rank reads its own part of what must be one and the same file.
void check_same_size(Communicator& comm, const std::string& name, std::uint64_t bytes) {
  const std::vector<std::uint64_t> all = gather_values(comm, bytes);
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    if (all[rank] == all[0]) continue;
    throw Error(ExitCode::kUsage,
                fmt::format("{}: {} bytes on rank 0 but {} on rank {}; expected the same file on "
                            "every node",
                            name, all[0], all[rank], rank),
                Reach::kAgreed);
  }
}

void check_memory(const std::string& name, std::uint64_t bytes) {
  const std::uint64_t memory = host_memory();
  if (bytes <= memory) return;
  fail_usage("{}: inflates to {} bytes, but this machine has {}; unpack it", name, bytes, memory);
}

// Whether all ranks see the source where it lies.
bool agreed_stored(Communicator& comm, std::string_view stored) {
  std::int64_t without = stored.empty() ? 1 : 0;
  comm.sum(std::span(&without, 1));
  return without == 0;
}

// Each rank looks at a share of the bytes: as much as it will read of them.
void check_crc(Communicator& comm, const std::string& name, std::string_view bytes,
               std::uint32_t crc) {
  const auto total = static_cast<std::int64_t>(bytes.size());
  const auto share_of_rank = [&](int rank) { return share_of(total, comm.world_size(), rank); };
  const Range own = share_of_rank(comm.rank());
  comm.begin_long_work("checking the data", kEachRank);
  const std::vector<std::uint32_t> all = gather_values(
      comm, libdeflate_crc32(0, bytes.data() + own.first, static_cast<std::size_t>(own.size())));
  std::uint32_t seen = 0;
  for (int rank = 0; rank < comm.world_size(); ++rank) {
    const auto length = static_cast<z_off_t>(share_of_rank(rank).size());
    seen = static_cast<std::uint32_t>(
        ::crc32_combine(seen, all[static_cast<std::size_t>(rank)], length));
  }
  if (seen == crc) return;
  throw Error(ExitCode::kUsage,
              fmt::format("{}: damaged: it does not have the CRC that the archive gives", name),
              Reach::kAgreed);
}

}  // namespace

SourceText::SourceText(Communicator& comm, const std::string& path, const std::string& member)
    : name_(member.empty() ? path : path + ":" + member) {
  std::unique_ptr<PackedFile> packed;
  std::uint64_t bytes = 0;
  agree(comm, [&] {
    file_.emplace(path);
    for (const Packing* packing : kPackings) {
      if (packed || !packing->recognizes(file_->text(), member)) continue;
      packed = packing->open(path, member, *file_);
    }
    bytes = packed ? packed->bytes() : file_->text().size();
    packed_bytes_ = packed ? packed->packed_bytes() : 0;
  });
  check_same_size(comm, name_, bytes);
  if (!packed) return;
  if (agreed_stored(comm, packed->stored())) {
    stored_ = packed->stored();
    check_crc(comm, name_, stored_, packed->crc());
    return;
  }
  const bool first_of_node = comm.rank() == comm.sharing_ranks().front();
  comm.begin_long_work("inflating the data", kEachRank);
  agree(comm, [&] {
    check_memory(name_, bytes);
    if (first_of_node) packed->check_bytes();
  });
  inflated_ = comm.share(first_of_node ? bytes : 0);
  agree(comm, [&] {
    if (first_of_node) packed->inflate(inflated_->part(0));
  });
  packed.reset();
  file_.reset();
}

std::string_view SourceText::text() const {
  if (!stored_.empty()) return stored_;
  if (!inflated_) return file_->text();
  const auto memory = inflated_->part(0);
  return {reinterpret_cast<const char*>(memory.data()), memory.size()};
}

}  // namespace lockstep
