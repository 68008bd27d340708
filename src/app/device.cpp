#include "app/device.h"

#include "lockstep/core/error.h"
#include "lockstep/gpu/find_gpu.h"
#include "lockstep/gpu/gpu_evaluator.h"
#include "lockstep/gpu/gpu_stepper.h"
#include "lockstep/train/cpu_stepper.h"

namespace lockstep {

std::string ChosenDevice::note() const {
  return why_no_gpu.empty() ? name() : fmt::format("{} ({})", name(), why_no_gpu);
}

std::unique_ptr<Stepper> ChosenDevice::make_stepper(Communicator& comm, const Network& network,
                                                    const TrainingData& data, Workers& workers,
                                                    const Experiment& experiment) const {
  if (gpu == nullptr) {
    return std::make_unique<CpuStepper>(comm, network, data, workers, experiment.parallel,
                                        experiment.train, experiment.seed);
  }
  return std::make_unique<GpuStepper>(*gpu, comm, network, data, experiment.parallel,
                                      experiment.train, experiment.seed);
}

std::unique_ptr<Evaluator> ChosenDevice::make_evaluator(const Network& network, Workers& workers,
                                                        const Normalization& normalization,
                                                        const Experiment& experiment) const {
  const Precision precision = experiment.parallel.precision;
  if (gpu == nullptr) {
    return std::make_unique<CpuEvaluator>(network, workers, precision, normalization,
                                          experiment.evaluation);
  }
  return std::make_unique<GpuEvaluator>(*gpu, network, precision, normalization,
                                        experiment.evaluation);
}

ChosenDevice choose_device(Communicator& comm, Device wanted) {
  if (wanted == Device::kCpu) return {};
  FoundGpu found = find_gpu(comm);
  if (found.gpu != nullptr || wanted == Device::kAuto) {
    return {std::move(found.gpu), found.reason};
  }
  throw Error(ExitCode::kUsage,
              fmt::format("device: CUDA, but {}; use device: CPU or AUTO", found.reason),
              Reach::kAgreed);
}

}  // namespace lockstep
