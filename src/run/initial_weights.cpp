#include "lockstep/run/initial_weights.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <variant>

#include "lockstep/checkpoint/checkpoint_folder.h"
#include "lockstep/core/error.h"
#include "lockstep/core/names.h"
#include "lockstep/core/pattern.h"
#include "lockstep/core/text.h"
#include "lockstep/model/weights.h"
#include "lockstep/run/place.h"
#include "lockstep/run/trained_model.h"
#include "run/name_map.h"
#include "run/tensor_layout.h"

namespace lockstep {

namespace {

namespace fs = std::filesystem;

// PyTorch's words for the parts of a norm.
constexpr std::array kWordsOfNorms = std::to_array<std::pair<std::string_view, std::string_view>>(
    {{"weight", "scale"}, {"bias", "shift"}, {"running_var", "running_variance"}});

// Counts steps in PyTorch's norms, which have a momentum all the same.
constexpr std::string_view kStepCounter = "num_batches_tracked";

// "13.dense" of the layer that gives the logits.
std::string head_of(const Graph& graph) {
  const auto& last = std::get<DenseOp>(graph.primitives.back().work);
  const std::string& name = graph.parameter(last.weight).name;
  return name.substr(0, name.rfind('.'));
}

// The names of a file's tensors as the network would call them.
class Naming {
 public:
  Naming(const Network& network, const InitializeOptions& options)
      : options_(options), head_(head_of(network.graph())), used_(options.rename.size(), 0) {
    for (const Parameter& each : network.parameters()) known_.insert(each.name);
  }

  std::string name_of(const std::string& tensor) {
    std::string name = tensor;
    for (std::size_t i = 0; i < options_.rename.size(); ++i) {
      const auto renamed = rename_by(options_.rename[i].from, options_.rename[i].to, name);
      if (!renamed) continue;
      name = *renamed;
      used_[i] = 1;
    }
    name = mapped_name(options_.map, name, head_).value_or(name);
    if (known_.contains(name)) return name;
    const std::size_t part = name.rfind('.') + 1;
    for (const auto& [theirs, ours] : kWordsOfNorms) {
      if (name.compare(part, std::string::npos, theirs) != 0) continue;
      const std::string of_norm = name.substr(0, part) + std::string(ours);
      if (known_.contains(of_norm)) return of_norm;
    }
    return name;
  }

  bool is_known(const std::string& name) const { return known_.contains(name); }

  void check_all_used() const {
    for (std::size_t i = 0; i < used_.size(); ++i) {
      if (used_[i] != 0) continue;
      fail_usage("initialize.rename[{}].from: \"{}\" is for no tensor of the file", i,
                 options_.rename[i].from);
    }
  }

 private:
  const InitializeOptions& options_;
  std::string head_;
  std::set<std::string> known_;
  std::vector<char> used_;  // by rule
};

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

// In the length of their first axis alone.
bool differ_in_classes(const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b) {
  return a.size() == b.size() && a != b && std::equal(a.begin() + 1, a.end(), b.begin() + 1);
}

// Takes tensors to parameters, and writes down what became of each.
class Taking {
 public:
  Taking(const Network& network, const InitializeOptions& options, const SafetensorsFile& file)
      : network_(network), options_(options), file_(file), places_(find_places(network.graph())) {
    result_.layouts = layouts_of(file);
  }

  InitialWeights take(std::uint64_t seed) {
    result_.values = network_.initial_weights(seed);
    check_skips();
    name_tensors();
    other_head_ = other_head();
    for (const Parameter& parameter : network_.parameters()) result_.rows.push_back(row(parameter));
    add_unused();
    if (taken_ == 0) fail_without_any();
    return std::move(result_);
  }

 private:
  void check_skips() const {
    std::vector<std::string> names;
    for (const Parameter& each : network_.parameters()) names.push_back(each.name);
    for (const std::string& written : options_.skip) {
      const std::string_view pattern = std::string_view(written).substr(written.starts_with('!'));
      const auto fits = [&](const std::string& name) { return stands_for(pattern, name); };
      if (std::any_of(names.begin(), names.end(), fits)) continue;
      fail_usage("initialize.skip: \"{}\" is for no parameter{}", written,
                 did_you_mean(pattern, names));
    }
  }

  void name_tensors() {
    Naming naming(network_, options_);
    for (const TensorView& tensor : file_.tensors()) {
      const std::string name = naming.name_of(tensor.name);
      if (!naming.is_known(name)) continue;
      const auto [at, is_first] = tensors_.emplace(name, &tensor);
      if (is_first) continue;
      fail_usage("tensors \"{}\" and \"{}\" are both for \"{}\"; expected one", at->second->name,
                 tensor.name, name);
    }
    for (const auto& [name, dtype] : file_.unread()) {
      if (!naming.is_known(naming.name_of(name))) continue;
      fail_usage("tensor \"{}\" has dtype {}; expected F32, F16, BF16 or F64", name, dtype);
    }
    naming.check_all_used();
  }

  // "weight" or "bias" of the last dense layer, where the file has it for other classes.
  std::string_view other_head() const {
    for (const Parameter& parameter : network_.parameters()) {
      const auto found = tensors_.find(parameter.name);
      if (found == tensors_.end() || !places_.at(parameter.name).gives_logits) continue;
      if (chooses(options_.skip, parameter.name)) continue;
      if (differ_in_classes(found->second->shape, parameter.shape)) return name_of(parameter.role);
    }
    return "";
  }

  InitialRow row(const Parameter& parameter) {
    const bool skipped = chooses(options_.skip, parameter.name);
    InitialRow row{parameter.name, "", parameter.shape, skipped ? "skipped" : "not in the file"};
    const auto found = tensors_.find(parameter.name);
    if (found == tensors_.end()) return row;
    const TensorView& tensor = *found->second;
    row.tensor = tensor.name;
    used_.insert(tensor.name);
    if (skipped) return row;
    const ParameterPlace& place = places_.at(parameter.name);
    if (result_.layouts == Layouts::kPytorch && !place.refusal.empty()) {
      fail_usage("tensor \"{}\", \"{}\" of the model: {}, or leave it out by initialize.skip",
                 tensor.name, parameter.name, place.refusal);
    }
    const ArrangedTensor arranged = arrange(tensor, place, result_.layouts, parameter.shape);
    if (arranged.shape != parameter.shape) {
      row.outcome = drawn_anew(tensor, arranged.shape, place, parameter);
      return row;
    }
    if (place.gives_logits && !other_head_.empty()) {
      row.outcome = fmt::format("drawn anew with its {}", other_head_);
      return row;
    }
    if (tensor.beyond_fp32) {
      fail_usage("tensor \"{}\" has values beyond {:.1e}, the most of fp32", tensor.name,
                 std::numeric_limits<float>::max());
    }
    check_values(tensor.name, arranged.values, parameter.role);
    std::copy(arranged.values.begin(), arranged.values.end(),
              result_.values.begin() + parameter.range.first);
    row.outcome = arranged.change.empty() ? "taken" : "taken, " + arranged.change;
    row.taken = true;
    ++taken_;
    return row;
  }

  static void check_values(const std::string& tensor, const std::vector<float>& values, Role role) {
    if (!std::all_of(values.begin(), values.end(),
                     [](float value) { return std::isfinite(value); })) {
      fail_usage("tensor \"{}\": not all of its values are finite", tensor);
    }
    if (role != Role::kRunningVariance) return;
    const auto least = std::min_element(values.begin(), values.end());
    if (least == values.end() || *least >= 0) return;
    fail_usage("tensor \"{}\" has the value {:g}; a running variance is 0 or more", tensor, *least);
  }

  // Where another number of classes is all that differs.
  static std::string drawn_anew(const TensorView& tensor, const std::vector<std::int64_t>& shape,
                                const ParameterPlace& place, const Parameter& parameter) {
    if (place.gives_logits && differ_in_classes(shape, parameter.shape)) {
      return fmt::format("drawn anew: {} there, {} here",
                         count_of(shape.front(), "class", "classes"), parameter.shape.front());
    }
    fail_usage(
        "tensor \"{}\" has the shape {}{}, \"{}\" of the model {}; change the model, or leave it "
        "out by initialize.skip",
        tensor.name, shape_text(tensor.shape),
        shape == tensor.shape ? "" : fmt::format(", so {} here", shape_text(shape)), parameter.name,
        shape_text(parameter.shape));
  }

  void add_unused() {
    for (const TensorView& tensor : file_.tensors()) {
      if (!used_.contains(tensor.name)) result_.rows.push_back({"", tensor.name, {}, "unused"});
    }
    for (const auto& [name, dtype] : file_.unread()) {
      if (name.ends_with(kStepCounter)) continue;
      result_.rows.push_back({"", name, {}, fmt::format("unused, of type {}", dtype)});
    }
  }

  [[noreturn]] void fail_without_any() const {
    if (file_.tensors().empty()) fail_usage("holds no tensors of floats");
    fail_usage(
        "none of its {} is taken: they are called as \"{}\", the model's parameters as \"{}\"; "
        "initialize.map and rename bring names together",
        count_of(file_.tensors().size(), "tensor"), file_.tensors().front().name,
        network_.parameters().front().name);
  }

  const Network& network_;
  const InitializeOptions& options_;
  const SafetensorsFile& file_;
  std::unordered_map<std::string, ParameterPlace> places_;
  std::map<std::string, const TensorView*> tensors_;  // by parameter
  std::set<std::string> used_;                        // of tensors
  std::string_view other_head_;
  InitialWeights result_;
  int taken_ = 0;
};

InitialWeights read_initial_weights(const Network& network, const InitializeOptions& options,
                                    const std::string& path, std::uint64_t seed) {
  constexpr std::array<std::string_view, 4> kPickles = {".pt", ".pth", ".ckpt", ".bin"};
  const std::string ending = fs::path(path).extension().string();
  if (std::find(kPickles.begin(), kPickles.end(), ending) != kPickles.end()) {
    fail_usage(
        "{}: PyTorch's own files are not read; write its state_dict by "
        "safetensors.torch.save_file",
        path);
  }
  const std::string file = find_weights(path).string();
  const SafetensorsFile tensors(read_checkpoint_file(file), file, Dtypes::kAny);
  try {
    return take_weights(network, options, tensors, seed);
  } catch (const Error& error) {
    throw error.within(file);
  }
}

}  // namespace

Network make_network(const Experiment& experiment) {
  const auto& initialize = experiment.initialize;
  return Network(experiment.model, experiment.data.shape,
                 std::max(experiment.data.classes, kFewestClasses),
                 initialize ? std::span<const std::string>(initialize->freeze)
                            : std::span<const std::string>());
}

Layouts layouts_of(const SafetensorsFile& file) {
  return file.metadata().contains(kExperimentKey) ? Layouts::kOurs : Layouts::kPytorch;
}

InitialWeights take_weights(const Network& network, const InitializeOptions& options,
                            const SafetensorsFile& file, std::uint64_t seed) {
  InitialWeights initial = Taking(network, options, file).take(seed);
  initial.digest = Weights(initial.values, Precision::kFp32).digest(network);
  return initial;
}

std::set<std::string> taken_statistics(const Network& network, const InitialWeights& initial) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < network.parameters().size(); ++i) {
    const Parameter& parameter = network.parameters()[i];
    if (!is_statistic(parameter.role) || parameter.frozen) continue;
    if (initial.rows[i].taken) names.insert(parameter.name);
  }
  return names;
}

InitialWeights load_initial_weights(Communicator& comm, const Network& network,
                                    const InitializeOptions& options, const std::string& path,
                                    std::uint64_t seed) {
  InitialWeights initial;
  comm.begin_long_work("reading the weights to begin with", kEachRank);
  agree(comm, [&] { initial = read_initial_weights(network, options, path, seed); });
  check_same(comm, path, "xxh3:" + initial.digest.hex(), "copy one file to all hosts");
  return initial;
}

}  // namespace lockstep
