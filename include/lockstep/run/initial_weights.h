// What a training begins with: weights that the seed draws, and in their place those of a file,
// of ours or of PyTorch's tensors.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lockstep/checkpoint/options.h"
#include "lockstep/checkpoint/safetensors.h"
#include "lockstep/comm/communicator.h"
#include "lockstep/config/experiment.h"
#include "lockstep/core/digest.h"
#include "lockstep/model/network.h"

namespace lockstep {

// Local: the network of an experiment, with what it freezes; with the fewest classes where they
// are yet to be counted. Error (2).
Network make_network(const Experiment& experiment);

// How tensors of a file are laid out. PyTorch's: of a convolution [filters, inputs, kernel,
// kernel], and what follows a flattened image takes channel after channel.
enum class Layouts { kOurs, kPytorch };

// Files of ours say so in their metadata.
Layouts layouts_of(const SafetensorsFile& file);

// What became of a parameter, or of a tensor that is for none.
struct InitialRow {
  std::string parameter;            // empty: the tensor is for none
  std::string tensor;               // of the file; empty: it has none for the parameter
  std::vector<std::int64_t> shape;  // of the parameter
  std::string outcome;              // "taken", "not in the file", ...
  bool taken = false;
};

struct InitialWeights {
  std::vector<float> values;     // flat, [network.total_size()]
  std::vector<InitialRow> rows;  // the network's parameters in order, then other tensors
  Layouts layouts = Layouts::kOurs;
  Digest digest;  // of the values
};

// Local. A tensor's name is renamed, then mapped; PyTorch's words for the parts of a norm become
// ours. A first convolution of 3 channels is summed for an image of one, and one of 1 channel
// divided among 3; the last dense layer is drawn anew where the file has other classes.
// Errors (2): another shape that differs; two tensors for a parameter, or none for any; values
// that are not finite; a pattern that is for nothing.
InitialWeights take_weights(const Network& network, const InitializeOptions& options,
                            const SafetensorsFile& file, std::uint64_t seed);

// Collective: of the file at `path`, which each rank reads. Errors (2, agreed) name the file; it
// differs between hosts.
InitialWeights load_initial_weights(Communicator& comm, const Network& network,
                                    const InitializeOptions& options, const std::string& path,
                                    std::uint64_t seed);

// The names of the running statistics that the file gave and that are not frozen.
std::set<std::string> taken_statistics(const Network& network, const InitialWeights& initial);

// The rows and their sums as a text of aligned lines, fit for a terminal.
std::string initial_table(const Network& network, const InitialWeights& initial,
                          const std::string& path);

}  // namespace lockstep
