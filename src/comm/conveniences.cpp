// What can be said in terms of the interface alone.

#include <algorithm>
#include <cstring>
#include <optional>

#include "lockstep/comm/communicator.h"
#include "lockstep/core/error.h"

namespace lockstep {

std::vector<std::string> gather_texts(Communicator& comm, const std::string& mine) {
  const auto bytes = std::as_bytes(std::span(mine));
  const std::vector<std::byte> copy(bytes.begin(), bytes.end());
  const auto parts = comm.all_to_all(
      std::vector<std::vector<std::byte>>(static_cast<std::size_t>(comm.world_size()), copy));
  std::vector<std::string> texts;
  texts.reserve(parts.size());
  for (const auto& part : parts) {
    texts.emplace_back(reinterpret_cast<const char*>(part.data()), part.size());
  }
  return texts;
}

std::string broadcast_text(Communicator& comm, const std::string& text, int root) {
  const auto bytes = broadcast_value(comm, static_cast<std::uint64_t>(text.size()), root);
  std::string copy = comm.rank() == root ? text : std::string(bytes, '\0');
  comm.broadcast(std::as_writable_bytes(std::span(copy)), root);
  return copy;
}

std::vector<std::int64_t> exclusive_scan(Communicator& comm, std::span<const std::int64_t> values) {
  std::vector<std::int64_t> all(values.size() * static_cast<std::size_t>(comm.world_size()));
  comm.all_gather(std::as_bytes(values), std::as_writable_bytes(std::span(all)));
  std::vector<std::int64_t> before(values.size(), 0);
  for (std::size_t rank = 0; rank < static_cast<std::size_t>(comm.rank()); ++rank) {
    for (std::size_t i = 0; i < values.size(); ++i) before[i] += all[rank * values.size() + i];
  }
  return before;
}

std::map<std::string, std::string> share_texts(Communicator& comm,
                                               const std::map<std::string, std::string>& texts,
                                               int root) {
  std::map<std::string, std::string> shared;
  const bool is_root = comm.rank() == root;
  const std::size_t count = broadcast_value(comm, texts.size(), root);
  auto next = texts.begin();
  for (std::size_t i = 0; i < count; ++i) {
    const std::string name = broadcast_text(comm, is_root ? next->first : "", root);
    shared[name] = broadcast_text(comm, is_root ? next->second : "", root);
    if (is_root) ++next;
  }
  return shared;
}

std::int64_t exclusive_scan(Communicator& comm, std::int64_t value) {
  return exclusive_scan(comm, std::span<const std::int64_t>(&value, 1)).front();
}

void agree(Communicator& comm, const std::function<void()>& work) {
  std::optional<Error> mine;
  try {
    work();
  } catch (const std::exception& exception) {
    mine = Error::from(exception);
  }
  const std::optional<Error> first = first_error(comm, mine);
  if (first) throw Error(*first);
}

std::optional<Error> first_error(Communicator& comm, const std::optional<Error>& mine) {
  const std::vector<int> codes = gather_values(comm, mine ? static_cast<int>(mine->code()) : 0);
  const auto is_cause = [](int code) {
    return code != 0 && code != static_cast<int>(ExitCode::kPeer);
  };
  auto first = std::find_if(codes.begin(), codes.end(), is_cause);
  if (first == codes.end()) {
    first = std::find_if(codes.begin(), codes.end(), [](int code) { return code != 0; });
  }
  if (first == codes.end()) return std::nullopt;
  const auto rank = static_cast<int>(first - codes.begin());
  const std::string message = broadcast_text(comm, mine ? mine->what() : "", rank);
  return Error(static_cast<ExitCode>(*first), message, Reach::kAgreed);
}

}  // namespace lockstep
