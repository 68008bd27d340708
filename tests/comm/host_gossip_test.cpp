#include "comm/host_gossip.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace lockstep {
namespace {

using namespace std::chrono_literals;
using Clock = HostGossip::Clock;

// Hosts of this process that know each other by the loopback address. Their clock is the test's.
class Hosts {
 public:
  explicit Hosts(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      hosts_.push_back(std::make_unique<HostGossip>());
      cards_.push_back(hosts_.back()->card());
      cards_.back().addresses = {htonl(INADDR_LOOPBACK)};
      cards_.back().host = {'h', static_cast<char>('0' + i)};
    }
    for (std::size_t i = 0; i < count; ++i) hosts_[i]->meet(cards_, i);
  }

  HostGossip& operator[](std::size_t i) { return *hosts_[i]; }
  const HostCard& card(std::size_t i) const { return cards_[i]; }

  // A second passes; all but `stopped` exchange twice, so that they hear what others told in it.
  void pass_a_second(std::size_t stopped = SIZE_MAX) {
    now_ += 1s;
    for (int round = 0; round < 2; ++round) {
      for (std::size_t i = 0; i < hosts_.size(); ++i) {
        if (i != stopped) hosts_[i]->exchange(now_, 1s);
      }
    }
  }
  Clock::time_point now() const { return now_; }

 private:
  std::vector<std::unique_ptr<HostGossip>> hosts_;
  std::vector<HostCard> cards_;
  Clock::time_point now_ = Clock::now();
};

class HostGossipTest : public testing::TestWithParam<std::size_t> {};

TEST_P(HostGossipTest, ProgressOfEachHostIsHeardByAll) {
  for (std::size_t moving = 0; moving < GetParam(); ++moving) {
    Hosts hosts(GetParam());
    for (int i = 0; i < 8; ++i) hosts.pass_a_second();
    hosts[moving].tell_progress();
    for (int i = 0; i < 8; ++i) hosts.pass_a_second();
    for (std::size_t i = 0; i < GetParam(); ++i) {
      EXPECT_EQ(hosts[i].progress(), 1U) << "of " << moving << " at " << i;
      EXPECT_EQ(hosts[i].silent_for(2s, hosts.now()), "");
    }
  }
}

TEST_P(HostGossipTest, AnAlarmIsHeardByAllUntilItEndsOrSomethingMoves) {
  Hosts hosts(GetParam());
  const auto are_alarmed = [&](bool expected) {
    for (std::size_t i = 0; i < GetParam(); ++i) EXPECT_EQ(hosts[i].is_alarmed(), expected) << i;
  };
  hosts[0].tell_progress();
  for (int i = 0; i < 8; ++i) hosts.pass_a_second();
  are_alarmed(false);
  const std::size_t last = GetParam() - 1;
  const auto tell = [&](bool alarmed) {
    for (int i = 0; i < 8; ++i) {
      hosts[last].tell_whether_alarmed(alarmed);
      hosts.pass_a_second();
    }
  };
  tell(true);
  are_alarmed(true);
  tell(false);
  are_alarmed(false);
  tell(true);
  are_alarmed(true);
  hosts[GetParam() / 2].tell_progress();
  for (int i = 0; i < 8; ++i) hosts.pass_a_second();
  are_alarmed(false);
}

INSTANTIATE_TEST_SUITE_P(Hosts, HostGossipTest, testing::Values(2, 3, 4, 5, 7, 13));

TEST(HostGossip, WhatIsHeardIsNoProgressOfItsOwn) {
  Hosts hosts(3);
  hosts[2].tell_progress();
  for (int i = 0; i < 50; ++i) hosts.pass_a_second();
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(hosts[i].progress(), 1U);
}

TEST(HostGossip, AHostThatStopsIsSilentUntilItGoesOn) {
  Hosts hosts(2);
  for (int i = 0; i < 3; ++i) hosts.pass_a_second();
  for (int i = 0; i < 5; ++i) hosts.pass_a_second(/*stopped=*/1);
  EXPECT_EQ(hosts[0].silent_for(5s, hosts.now()), "h1");
  EXPECT_EQ(hosts[0].silent_for(6s, hosts.now()), "");
  hosts.pass_a_second();
  EXPECT_EQ(hosts[0].silent_for(1s, hosts.now()), "");
}

TEST(HostGossip, AHostThatStopsRightAfterTheyMetIsSilent) {
  Hosts hosts(2);
  for (int i = 0; i < 5; ++i) hosts.pass_a_second(/*stopped=*/1);
  EXPECT_EQ(hosts[0].silent_for(4s, hosts.now()), "h1");
}

TEST(HostGossip, AHostThatWasNeverHeardIsNotSilent) {
  HostGossip here;
  const HostGossip mute;
  const std::vector<HostCard> cards{here.card(), mute.card()};
  here.meet(cards, 0);
  const Clock::time_point begin = Clock::now();
  for (int i = 0; i < 5; ++i) here.exchange(begin + i * 1s, 1s);
  EXPECT_EQ(here.silent_for(1s, begin + 9s), "");
}

TEST(HostGossip, OneThatWasStoppedItselfBlamesNobody) {
  Hosts hosts(2);
  for (int i = 0; i < 3; ++i) hosts.pass_a_second();
  const auto later = hosts.now() + 100s;
  EXPECT_EQ(hosts[0].silent_for(5s, later), "h1");
  hosts[0].forget(97s);
  EXPECT_EQ(hosts[0].silent_for(5s, later), "");
}

TEST(HostGossip, OfAnAlarmAndItsEndIsToldAtOnce) {
  Hosts hosts(2);
  hosts.pass_a_second();
  for (const bool alarmed : {true, false}) {
    hosts[0].tell_whether_alarmed(alarmed);
    hosts[0].exchange(hosts.now(), 1h);
    hosts[1].exchange(hosts.now(), 1h);
    EXPECT_EQ(hosts[1].is_alarmed(), alarmed);
  }
}

// Sends what no host of the job would.
class Stranger {
 public:
  Stranger() : socket_(::socket(AF_INET, SOCK_DGRAM, 0)) {}
  ~Stranger() { ::close(socket_); }
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;

  void send(const HostCard& to, const std::vector<std::uint64_t>& words, std::size_t bytes) const {
    ::sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = to.port;
    EXPECT_EQ(::sendto(socket_, words.data(), bytes, 0,
                       reinterpret_cast<const ::sockaddr*>(&address), sizeof(address)),
              static_cast<::ssize_t>(bytes));
  }

 private:
  int socket_;
};

TEST(HostGossip, WhatStrangersSendIsLeftAlone) {
  Hosts hosts(2);
  const Stranger stranger;
  const std::uint64_t key = hosts.card(0).key;
  stranger.send(hosts.card(0), {key + 1, 1, 99, 0}, 32);  // of another job
  stranger.send(hosts.card(0), {key, 0, 99, 0}, 32);      // of itself
  stranger.send(hosts.card(0), {key, 7, 99, 0}, 32);      // of no host
  stranger.send(hosts.card(0), {key, 1, 99, 0}, 31);      // too short
  stranger.send(hosts.card(0), {key, 1, 99, 0, 0}, 40);   // too long
  stranger.send(hosts.card(0), {}, 0);
  hosts.pass_a_second();
  EXPECT_EQ(hosts[0].progress(), 0U);
  stranger.send(hosts.card(0), {key, 1, 99, 0}, 32);
  hosts.pass_a_second();
  EXPECT_EQ(hosts[0].progress(), 99U);
}

TEST(HostGossip, ACardNamesAddressesOfOtherInterfacesThanLoopback) {
  const HostCard card = HostGossip().card();
  EXPECT_NE(card.port, 0);
  EXPECT_TRUE(card.speaks);
  EXPECT_EQ(card.host.back(), '\0');
  EXPECT_EQ(std::count(card.addresses.begin(), card.addresses.end(), htonl(INADDR_LOOPBACK)), 0);
}

}  // namespace
}  // namespace lockstep
