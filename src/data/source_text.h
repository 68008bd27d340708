// The bytes of a source: a plain file or a stored member of a zip archive, mapped; or a deflated
// member or a gzip file, inflated once a node into memory that the node's ranks share.
//
// Made and destroyed by all ranks together.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lockstep/comm/communicator.h"
#include "lockstep/core/files.h"

namespace lockstep {

class SourceText {
 public:
  // Collective: `member` is empty unless `path` is a zip archive. Errors (2,
  // agreed): no such file, not a zip, no such member, encrypted, damaged.
  SourceText(Communicator& comm, const std::string& path, const std::string& member);

  // Views of text() stay when it is moved.
  SourceText(SourceText&&) = default;
  SourceText& operator=(SourceText&&) = delete;

  // Local, below.
  std::string_view text() const;
  // As they lie in the archive or gzip file; 0 for a plain file.
  std::uint64_t packed_bytes() const { return packed_bytes_; }
  // For errors: the path, or path:member.
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  std::uint64_t packed_bytes_ = 0;
  std::optional<MappedFile> file_;
  std::string_view stored_;  // in file_, of a stored member
  std::unique_ptr<SharedWindow> inflated_;
};

}  // namespace lockstep
