#include "comm/host_gossip.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "lockstep/core/host.h"

namespace lockstep {

namespace {

struct Datagram {
  std::uint64_t key;    // of the one it is for
  std::uint64_t place;  // of the one it is from
  std::uint64_t progress;
  std::uint64_t alarm;
};
static_assert(sizeof(Datagram) == 32);

std::uint64_t random_key() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

// Of the interfaces that are up and lead to other hosts, as many as there is room for.
void find_addresses(std::span<std::uint32_t> addresses) {
  ::ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return;
  std::size_t count = 0;
  for (const ::ifaddrs* each = first; each != nullptr && count < addresses.size();
       each = each->ifa_next) {
    const bool leads_out = (each->ifa_flags & IFF_UP) != 0 && (each->ifa_flags & IFF_LOOPBACK) == 0;
    if (!leads_out || each->ifa_addr == nullptr || each->ifa_addr->sa_family != AF_INET) continue;
    addresses[count++] = reinterpret_cast<const ::sockaddr_in*>(each->ifa_addr)->sin_addr.s_addr;
  }
  ::freeifaddrs(first);
}

::sockaddr_in address_of(in_addr_t address, in_port_t port) {
  ::sockaddr_in made{};
  made.sin_family = AF_INET;
  made.sin_addr.s_addr = address;
  made.sin_port = port;
  return made;
}

}  // namespace

HostGossip::HostGossip()
    : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)), key_(random_key()) {
  const ::sockaddr_in any = address_of(htonl(INADDR_ANY), 0);
  if (socket_ >= 0) (void)::bind(socket_, reinterpret_cast<const ::sockaddr*>(&any), sizeof(any));
}

HostGossip::~HostGossip() {
  if (socket_ >= 0) ::close(socket_);
}

HostCard HostGossip::card() const {
  HostCard card{};
  host_name().copy(card.host.data(), card.host.size() - 1);
  find_addresses(card.addresses);
  card.key = key_;
  ::sockaddr_in bound{};
  ::socklen_t size = sizeof(bound);
  if (::getsockname(socket_, reinterpret_cast<::sockaddr*>(&bound), &size) == 0) {
    card.port = bound.sin_port;
  }
  card.speaks = true;
  return card;
}

// The hypercube's neighbours that exist: each host reaches the first one by clearing its bits.
void HostGossip::meet(std::span<const HostCard> hosts, std::size_t place) {
  place_ = place;
  peers_.clear();
  for (std::size_t bit = 1; bit < hosts.size(); bit *= 2) {
    const std::size_t peer = place ^ bit;
    if (peer < hosts.size() && hosts[peer].port != 0) peers_.push_back({hosts[peer], peer, 0, {}});
  }
  tell(/*now=*/{}, /*period=*/{});
}

void HostGossip::tell_whether_alarmed(bool alarmed) {
  if (is_alarmed_here_ && !alarmed) tell_progress();
  if (alarmed) alarm_ = progress_ + 1;
  is_alarmed_here_ = alarmed;
}

void HostGossip::exchange(Clock::time_point now, Clock::duration period) {
  hear(now);
  if (now - told_at_ < period && is_alarmed() == told_alarm_) return;
  told_alarm_ = is_alarmed();
  told_at_ = now;
  tell(now, period);
}

void HostGossip::hear(Clock::time_point now) {
  Datagram heard{};
  ::sockaddr_in from{};
  for (;;) {
    ::socklen_t size = sizeof(from);
    // Its whole length is told, also of what has no room.
    const ::ssize_t bytes = ::recvfrom(socket_, &heard, sizeof(heard), MSG_TRUNC,
                                       reinterpret_cast<::sockaddr*>(&from), &size);
    if (bytes < 0) return;
    if (bytes != sizeof(heard) || heard.key != key_) continue;
    const auto peer = std::find_if(peers_.begin(), peers_.end(),
                                   [&](const Peer& each) { return each.place == heard.place; });
    if (peer == peers_.end()) continue;
    peer->answers_from = from.sin_addr.s_addr;
    peer->heard_at = now;
    progress_ = std::max(progress_, heard.progress);
    alarm_ = std::max(alarm_, heard.alarm);
  }
}

// To where it is heard from, else wherever it may be.
void HostGossip::tell(Clock::time_point now, Clock::duration period) {
  for (const Peer& peer : peers_) {
    if (peer.answers_from != 0 && now - peer.heard_at < 3 * period) {
      send_to(peer, peer.answers_from);
      continue;
    }
    for (const std::uint32_t address : peer.card.addresses) {
      if (address != 0) send_to(peer, address);
    }
  }
}

// What does not arrive is told again.
void HostGossip::send_to(const Peer& peer, in_addr_t address) const {
  const Datagram told{peer.card.key, place_, progress_, alarm_};
  const ::sockaddr_in to = address_of(address, peer.card.port);
  (void)::sendto(socket_, &told, sizeof(told), MSG_NOSIGNAL,
                 reinterpret_cast<const ::sockaddr*>(&to), sizeof(to));
}

std::string HostGossip::silent_for(Clock::duration limit, Clock::time_point now) const {
  for (const Peer& peer : peers_) {
    if (peer.answers_from != 0 && now - peer.heard_at >= limit) return peer.card.host.data();
  }
  return "";
}

void HostGossip::forget(Clock::duration stopped) {
  for (Peer& peer : peers_) peer.heard_at += stopped;
}

}  // namespace lockstep
