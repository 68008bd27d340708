// What a rank does before it ends the job by force: because a peer died or is late, or for a fault
// of its own. Local.
#pragma once

#include <functional>
#include <string>

namespace lockstep {

// Of this process, once; `say` gets the reason, may be called on any thread, and is left alone
// where it takes more than 2 s: the job must end.
void prepare_last_words(std::function<void(const std::string& reason)> say);

// Any thread. Nothing where none are prepared, or another thread has said them.
void say_last_words(const std::string& reason);

}  // namespace lockstep
