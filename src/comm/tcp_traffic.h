// What the TCP connections of this process have carried.
#pragma once

#include <cstdint>

namespace lockstep {

// Local: the bytes received, and those sent that their receivers' systems have acknowledged, of all
// TCP connections that this process has now, without headers and what was sent again. Where the
// system does not tell, 0.
std::uint64_t tcp_traffic_bytes();

}  // namespace lockstep
