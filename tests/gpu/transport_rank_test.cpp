// The contract of Transport, held by all: one process alone, MPI, and what the accelerator
// under test connects, alone and with all ranks.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numeric>

#include "gpu/device_memory.h"
#include "gpu/test_accelerator.h"
#include "lockstep/core/error.h"
#include "support/rank_test.h"

namespace lockstep {
namespace {

class TransportContract : public testing::Test {
 protected:
  void each(const std::function<void(Transport&, bool on_device)>& check) {
    for (const bool on_device : {false, true}) {
      for (Communicator* comm : {self_.get(), &test_comm()}) {
        SCOPED_TRACE(fmt::format("{} of {}", on_device ? "device" : "host", comm->world_size()));
        if (!on_device) {
          check(*comm, false);
          continue;
        }
        const auto transport = accelerator_.connect(*comm);
        check(*transport, true);
      }
    }
  }

  // Memory of the kind that is moved.
  at::Tensor memory(bool on_device, const std::vector<float>& values) {
    if (on_device) return lockstep::on_device(accelerator_, values);
    return at::from_blob(const_cast<float*>(values.data()),
                         {static_cast<std::int64_t>(values.size())}, at::kFloat)
        .clone();
  }

  std::vector<float> values_after(const at::Tensor& tensor) {
    accelerator_.wait();
    return on_host(tensor);
  }

  Accelerator& accelerator_ = test_accelerator();
  std::unique_ptr<Communicator> self_ = connect_self();
};

std::vector<float> counted(std::size_t size, float first) {
  std::vector<float> values(size);
  std::iota(values.begin(), values.end(), first);
  return values;
}

TEST_F(TransportContract, ExchangeMovesEveryPartToItsPeerInOrder) {
  each([&](Transport& transport, bool on_device) {
    const int world = transport.world_size();
    const int rank = transport.rank();
    std::vector<at::Tensor> sent;
    std::vector<at::Tensor> got;
    std::vector<Outgoing> out;
    std::vector<Incoming> in;
    // Two parts to each rank, oneself too; sizes differ by sender and receiver.
    const auto size = [](int from, int to, int part) { return 3 + 5 * from + 7 * to + 100 * part; };
    const auto first = [](int from, int to, int part) {
      return static_cast<float>(1000 * from + 10000 * to + 100000 * part);
    };
    for (int peer = 0; peer < world; ++peer) {
      for (int part = 0; part < 2; ++part) {
        sent.push_back(memory(on_device, counted(static_cast<std::size_t>(size(rank, peer, part)),
                                                 first(rank, peer, part))));
        got.push_back(memory(
            on_device, std::vector<float>(static_cast<std::size_t>(size(peer, rank, part)), -1)));
        out.push_back({peer, std::as_bytes(floats(sent.back()))});
        in.push_back({peer, std::as_writable_bytes(floats(got.back()))});
      }
    }
    transport.exchange(out, in);
    std::size_t next = 0;
    for (int peer = 0; peer < world; ++peer) {
      for (int part = 0; part < 2; ++part) {
        EXPECT_EQ(
            values_after(got[next++]),
            counted(static_cast<std::size_t>(size(peer, rank, part)), first(peer, rank, part)))
            << peer << ' ' << part;
      }
    }
  });
}

TEST_F(TransportContract, EmptyExchangesAreAllowed) {
  each([&](Transport& transport, bool) {
    transport.exchange({}, {});
    accelerator_.wait();
  });
}

TEST_F(TransportContract, NativeSumAddsOverRanks) {
  each([&](Transport& transport, bool on_device) {
    const int world = transport.world_size();
    const at::Tensor values =
        memory(on_device, counted(1031, static_cast<float>(transport.rank())));
    transport.native_sum(floats(values));
    std::vector<float> expected;
    for (int i = 0; i < 1031; ++i) {
      expected.push_back(static_cast<float>(world * i + world * (world - 1) / 2));
    }
    EXPECT_EQ(values_after(values), expected);
  });
}

}  // namespace
}  // namespace lockstep
