// Where the progress of a run is shown, and how. Plain values; any thread.
#pragma once

#include <cstdio>

namespace lockstep {

enum class ProgressStyle {
  kPlain,   // whole lines, no control codes: files, pipes, logs
  kLive,    // a terminal: one line that is drawn over and over
  kColour,  // the same, with colours
};

struct ProgressOutput {
  std::FILE* stream = stdout;  // not owned; outlives the callback
  ProgressStyle style = ProgressStyle::kPlain;
  int columns = 80;  // of the live styles, where the stream does not tell
};

// The width of the terminal behind `stream`; 0 where there is none. A rank's
// stdout is always a terminal to isatty(): mpirun makes one, with mpirun's own
// width, which is 0 where mpirun writes to a file.
int terminal_columns(std::FILE* stream);

// Live on a terminal (unless TERM is "dumb"), in colour unless NO_COLOR is set
// and not empty; otherwise plain.
ProgressOutput detect_progress_output(std::FILE* stream);

}  // namespace lockstep
