// This host. Any thread.
#pragma once

#include <string>

namespace lockstep {

// Its name, as gethostname() gives it.
std::string host_name();

}  // namespace lockstep
