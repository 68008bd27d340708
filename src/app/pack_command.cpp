// lockstep pack: the rows of a source, decoded, as one file.

#include <fmt/format.h>

#include <string>

#include "app/commands.h"
#include "lockstep/core/text.h"
#include "lockstep/data/pack.h"
#include "lockstep/data/survey.h"

namespace lockstep {

namespace {

// The least that is an experiment: of its settings those of the data alone matter.
std::string experiment_around(const ImageShape& shape) {
  return fmt::format(
      "name: \"pack\" data {{ train {{ path: \"source\" }} classes: 2 "
      "shape {{ height: {} width: {} channels: {} }} }} "
      "model {{ layer {{ flatten {{}} }} layer {{ dense {{ units: 2 }} }} }}",
      shape.height, shape.width, shape.channels);
}

// Those of the experiment; without one, what the source tells of itself. --set wins.
DataOptions options_of(const CommandLine& line, const SourceOptions& source) {
  if (!line.experiment.empty()) return load_experiment(line.experiment, line.overrides).data;
  const ImageShape shape = guess_options(source, DataOptions().label_column).shape;
  return parse_experiment(experiment_around(shape), "--set", line.overrides).data;
}

}  // namespace

int run_pack(Communicator& comm, const CommandLine& line) {
  check_out(comm, line.out);
  const SourceOptions source{line.data, line.member, line.labels};
  DataOptions options;
  agree(comm, [&] { options = options_of(line, source); });
  const PackedRows packed = pack(comm, source, options, line.out);
  if (comm.rank() != 0) return 0;
  if (!packed.found.empty()) fmt::print("found    {}\n", printable(packed.found));
  fmt::print("{} of {}x{}x{}, {} bytes to {}\n", count_of(packed.rows, "row"), options.shape.height,
             options.shape.width, options.shape.channels, packed.bytes, printable(line.out));
  return 0;
}

}  // namespace lockstep
