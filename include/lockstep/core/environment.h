// Numbers that come from the environment.
#pragma once

namespace lockstep {

// Local: the seconds that a variable names, above 0; `otherwise` where it is not set. Any
// other text is a usage error.
double seconds_from_environment(const char* variable, double otherwise);

}  // namespace lockstep
