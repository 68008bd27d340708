// The contract of Communicator. Every test runs over a world of one without MPI
// and over the world of the program, whose results follow from ranks alone.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "lockstep/comm/communicator.h"
#include "lockstep/core/error.h"
#include "support/rank_test.h"

namespace lockstep {
namespace {

enum class World { kSelf, kRanks };

class Contract : public testing::TestWithParam<World> {
 protected:
  Communicator& comm() { return GetParam() == World::kSelf ? *self_ : test_comm(); }
  int rank() { return comm().rank(); }
  int world() { return comm().world_size(); }
  int place_of_sharing() {
    const std::vector<int>& ranks = comm().sharing_ranks();
    return static_cast<int>(std::find(ranks.begin(), ranks.end(), rank()) - ranks.begin());
  }

 private:
  std::unique_ptr<Communicator> self_ = connect_self();
};

INSTANTIATE_TEST_SUITE_P(Worlds, Contract, testing::Values(World::kSelf, World::kRanks),
                         [](const auto& info) {
                           return info.param == World::kSelf ? "Self" : "Ranks";
                         });

// Sizes around nothing, a cache line, and what MPI sends eagerly.
const std::vector<std::size_t> kSizes = {0, 1, 3, 997, 70'001};

std::vector<std::byte> pattern(int from, int to, std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<std::byte>(
        (static_cast<std::size_t>(from) * 53 + static_cast<std::size_t>(to) * 17 + i * 7) % 251);
  }
  return bytes;
}

TEST_P(Contract, RanksAndPlacesAreInRange) {
  EXPECT_GE(rank(), 0);
  EXPECT_LT(rank(), world());
  EXPECT_GE(comm().node_place(), 0);
  EXPECT_LT(comm().node_place(), comm().node_size());
  EXPECT_LE(comm().node_size(), world());
  const std::vector<int>& sharing = comm().sharing_ranks();
  EXPECT_TRUE(std::is_sorted(sharing.begin(), sharing.end()));
  EXPECT_EQ(std::count(sharing.begin(), sharing.end(), rank()), 1);
  const auto ranks = gather_values(comm(), rank());
  std::vector<int> expected(static_cast<std::size_t>(world()));
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(ranks, expected);
}

TEST_P(Contract, BroadcastGivesTheRootsData) {
  for (int root = 0; root < world(); ++root) {
    for (const std::size_t size : kSizes) {
      std::vector<std::byte> data = pattern(rank(), 0, size);
      comm().broadcast(data, root);
      EXPECT_EQ(data, pattern(root, 0, size)) << "root " << root << ", " << size << " bytes";
    }
  }
}

TEST_P(Contract, AllGatherGivesEveryRanksData) {
  for (const std::size_t size : kSizes) {
    const std::vector<std::byte> mine = pattern(rank(), 1, size);
    std::vector<std::byte> all(size * static_cast<std::size_t>(world()));
    comm().all_gather(mine, all);
    std::vector<std::byte> expected;
    for (int r = 0; r < world(); ++r) {
      const auto part = pattern(r, 1, size);
      expected.insert(expected.end(), part.begin(), part.end());
    }
    EXPECT_EQ(all, expected) << size << " bytes";
  }
}

// Sizes that differ by pair, some of them zero.
std::size_t bytes_between(int from, int to) {
  return static_cast<std::size_t>((from * 3 + to) % 4) * 30'011;
}

TEST_P(Contract, AllToAllGivesWhatEachRankSentHere) {
  std::vector<std::vector<std::byte>> out;
  for (int peer = 0; peer < world(); ++peer) {
    out.push_back(pattern(rank(), peer, bytes_between(rank(), peer)));
  }
  const auto in = comm().all_to_all(out);
  ASSERT_EQ(in.size(), static_cast<std::size_t>(world()));
  for (int peer = 0; peer < world(); ++peer) {
    EXPECT_EQ(in[static_cast<std::size_t>(peer)],
              pattern(peer, rank(), bytes_between(peer, rank())))
        << "from " << peer;
  }
}

TEST_P(Contract, AllToAllOfNothingGivesNothing) {
  const auto in =
      comm().all_to_all(std::vector<std::vector<std::byte>>(static_cast<std::size_t>(world())));
  EXPECT_EQ(in, std::vector<std::vector<std::byte>>(static_cast<std::size_t>(world())));
}

// Three parts to every peer and to oneself, the middle one without bytes.
TEST_P(Contract, ExchangeMatchesPartsInOrder) {
  const std::vector<std::size_t> sizes = {5, 0, 70'001};
  std::vector<std::vector<std::byte>> sent;
  std::vector<std::vector<std::byte>> got;
  for (int peer = 0; peer < world(); ++peer) {
    for (std::size_t part = 0; part < sizes.size(); ++part) {
      sent.push_back(pattern(rank(), peer + 10 * static_cast<int>(part), sizes[part]));
      got.emplace_back(sizes[part]);
    }
  }
  std::vector<Outgoing> out;
  std::vector<Incoming> in;
  for (std::size_t i = 0; i < sent.size(); ++i) {
    const int peer = static_cast<int>(i / sizes.size());
    out.push_back({peer, sent[i]});
    in.push_back({peer, got[i]});
  }
  comm().exchange(out, in);
  for (std::size_t i = 0; i < got.size(); ++i) {
    const int peer = static_cast<int>(i / sizes.size());
    const std::size_t part = i % sizes.size();
    EXPECT_EQ(got[i], pattern(peer, rank() + 10 * static_cast<int>(part), sizes[part]))
        << "part " << part << " from " << peer;
  }
}

TEST_P(Contract, ExchangeIsAmongTheRanksNamed) {
  if (world() < 2 || rank() > 1) return;
  const int peer = 1 - rank();
  const auto mine = pattern(rank(), peer, 997);
  std::vector<std::byte> got(997);
  const std::vector<Outgoing> out = {{peer, mine}};
  const std::vector<Incoming> in = {{peer, got}};
  comm().exchange(out, in);
  EXPECT_EQ(got, pattern(peer, rank(), 997));
}

// Two under way at a time, of which the one begun last is asked first; again and again.
TEST_P(Contract, StandingExchangesMoveWhatTheirMemoryHasAtTheStart) {
  constexpr std::size_t kBytes = 70'001;
  const int next = (rank() + 1) % world();
  const int previous = (rank() + world() - 1) % world();
  std::vector<std::vector<std::byte>> sent(2, std::vector<std::byte>(kBytes));
  std::vector<std::vector<std::byte>> got = sent;
  std::vector<std::unique_ptr<StandingExchange>> exchanges;
  for (int tag = 0; tag < 2; ++tag) {
    std::vector<Outgoing> out;
    std::vector<Incoming> in;
    if (world() > 1) {
      out.push_back({next, sent[static_cast<std::size_t>(tag)]});
      in.push_back({previous, got[static_cast<std::size_t>(tag)]});
    }
    exchanges.push_back(comm().prepare(out, in, tag));
  }
  for (int turn = 0; turn < 3; ++turn) {
    for (int tag = 0; tag < 2; ++tag) {
      const auto bytes = pattern(rank(), turn + 10 * tag, kBytes);
      std::copy(bytes.begin(), bytes.end(), sent[static_cast<std::size_t>(tag)].begin());
      exchanges[static_cast<std::size_t>(tag)]->start();
    }
    for (const int tag : {1, 0}) {
      while (!exchanges[static_cast<std::size_t>(tag)]->is_done()) {
      }
      if (world() == 1) continue;
      EXPECT_EQ(got[static_cast<std::size_t>(tag)], pattern(previous, turn + 10 * tag, kBytes));
    }
  }
}

TEST_P(Contract, SumsAreOverRanks) {
  for (const std::size_t size : kSizes) {
    std::vector<std::int64_t> counts(size);
    std::vector<float> values(size);
    for (std::size_t i = 0; i < size; ++i) {
      counts[i] = (std::int64_t{1} << 60) + rank() - static_cast<std::int64_t>(i);
      values[i] = static_cast<float>(static_cast<std::size_t>(rank()) + i % 1000);
    }
    comm().sum(counts);
    comm().native_sum(values);
    const std::int64_t n = world();
    for (std::size_t i = 0; i < size; ++i) {
      const auto index = static_cast<std::int64_t>(i);
      ASSERT_EQ(counts[i], n * ((std::int64_t{1} << 60) - index) + n * (n - 1) / 2);
      ASSERT_EQ(values[i], static_cast<float>(n * (index % 1000) + n * (n - 1) / 2));
    }
  }
}

std::size_t window_bytes(int place) {
  return place == 1 ? 0 : 1000 + 13 * static_cast<std::size_t>(place);
}

TEST_P(Contract, SharedWindowsAreZeroedAlignedAndSeenByAll) {
  const int sharing = static_cast<int>(comm().sharing_ranks().size());
  const auto window = comm().share(window_bytes(place_of_sharing()));
  for (int place = 0; place < sharing; ++place) {
    const auto part = window->part(place);
    ASSERT_EQ(part.size(), window_bytes(place));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(part.data()) % 64, 0U);
    EXPECT_EQ(std::count(part.begin(), part.end(), std::byte{0}),
              static_cast<std::ptrdiff_t>(part.size()));
  }
  comm().barrier();
  // Everyone writes its own byte into every part, and its own part's end.
  const int place = place_of_sharing();
  for (int other = 0; other < sharing; ++other) {
    const auto part = window->part(other);
    if (!part.empty()) part[static_cast<std::size_t>(place)] = static_cast<std::byte>(place + 1);
  }
  comm().barrier();
  for (int other = 0; other < sharing; ++other) {
    const auto part = window->part(other);
    for (int writer = 0; writer < sharing && !part.empty(); ++writer) {
      EXPECT_EQ(part[static_cast<std::size_t>(writer)], static_cast<std::byte>(writer + 1));
    }
  }
  comm().barrier();
}

TEST_P(Contract, WindowsMayGoInAnyOrder) {
  auto first = comm().share(64);
  auto second = comm().share(64);
  if (rank() % 2 == 0) first.reset();
  const auto mine = second->part(place_of_sharing());
  mine[0] = std::byte{9};
  second.reset();
  first.reset();
  comm().barrier();
}

TEST_P(Contract, TextsOfAnyLengthAreGathered) {
  const std::string mine(static_cast<std::size_t>(rank()) * 1000, static_cast<char>('a' + rank()));
  const auto texts = gather_texts(comm(), mine);
  ASSERT_EQ(texts.size(), static_cast<std::size_t>(world()));
  for (int r = 0; r < world(); ++r) {
    EXPECT_EQ(texts[static_cast<std::size_t>(r)],
              std::string(static_cast<std::size_t>(r) * 1000, static_cast<char>('a' + r)));
  }
}

TEST_P(Contract, BroadcastsOfTextsAndValues) {
  const int root = world() - 1;
  const auto text_of = [](int r) { return r % 2 == 0 ? std::string() : std::string("a\0b", 3); };
  EXPECT_EQ(broadcast_text(comm(), text_of(rank()), root), text_of(root));
  struct Pair {
    int a;
    double b;
  };
  const Pair pair = broadcast_value(comm(), Pair{rank(), rank() / 3.0}, root);
  EXPECT_EQ(pair.a, root);
  EXPECT_EQ(pair.b, root / 3.0);
}

TEST_P(Contract, ExclusiveScanSumsTheRanksBefore) {
  const std::int64_t r = rank();
  EXPECT_EQ(exclusive_scan(comm(), 10 * r + 1), 5 * r * (r - 1) + r);
  const std::vector<std::int64_t> mine = {r, -1, 7};
  EXPECT_EQ(exclusive_scan(comm(), mine), (std::vector<std::int64_t>{r * (r - 1) / 2, -r, 7 * r}));
  EXPECT_TRUE(exclusive_scan(comm(), std::span<const std::int64_t>()).empty());
}

TEST_P(Contract, AgreePassesWhereNobodyThrows) {
  int calls = 0;
  EXPECT_NO_THROW(agree(comm(), [&] { ++calls; }));
  EXPECT_EQ(calls, 1);
}

TEST_P(Contract, AgreeRethrowsTheLowestRanksErrorOnAll) {
  const int lowest = world() / 2;
  try {
    agree(comm(), [&] {
      if (rank() == lowest) throw Error(ExitCode::kUsage, fmt::format("from {}", rank()));
      if (rank() > lowest) throw std::runtime_error("later");
    });
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), fmt::format("from {}", lowest));
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_EQ(error.reach(), Reach::kAgreed);
  }
  comm().barrier();
}

TEST_P(Contract, AgreeTurnsOtherExceptionsIntoInternalErrors) {
  try {
    agree(comm(), [&] {
      if (rank() == world() - 1) throw std::out_of_range("index 7");
    });
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "index 7");
    EXPECT_EQ(error.code(), ExitCode::kInternal);
    EXPECT_EQ(error.reach(), Reach::kAgreed);
  }
}

}  // namespace
}  // namespace lockstep
