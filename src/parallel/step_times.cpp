#include "lockstep/parallel/step_times.h"

#include <algorithm>
#include <functional>
#include <vector>

namespace lockstep {

namespace {

constexpr double kNotable = 0.1;

using Part = std::function<double(const StepTimes&)>;

double data(const StepTimes& times) { return times.data; }
double compute(const StepTimes& times) { return times.forward + times.backward; }
double work(const StepTimes& times) { return data(times) + compute(times); }
double exposed(const StepTimes& times) { return times.exposed; }

// The lower one of an even number of ranks: of two, the faster is the measure.
double median(std::span<const StepTimes> by_rank, const Part& part) {
  std::vector<double> values;
  for (const StepTimes& times : by_rank) values.push_back(part(times));
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

int longest(std::span<const StepTimes> by_rank, const Part& part) {
  const auto shorter = [&](const auto& a, const auto& b) { return part(a) < part(b); };
  return static_cast<int>(std::max_element(by_rank.begin(), by_rank.end(), shorter) -
                          by_rank.begin());
}

}  // namespace

StepTimes& StepTimes::operator+=(const StepTimes& other) {
  for (const auto& [name, time] : kTimesOfAStep) this->*time += other.*time;
  return *this;
}

StepTimes StepTimes::operator/(double divisor) const {
  StepTimes result = *this;
  for (const auto& [name, time] : kTimesOfAStep) result.*time /= divisor;
  return result;
}

const char* name_of(Cause cause) {
  switch (cause) {
    case Cause::kData:
      return "data";
    case Cause::kCompute:
      return "compute";
    case Cause::kNetwork:
      return "network";
    case Cause::kNone:
      break;
  }
  return "none";
}

Straggler find_straggler(std::span<const StepTimes> by_rank) {
  Straggler found;
  found.rank = longest(by_rank, work);
  const StepTimes& slowest = by_rank[static_cast<std::size_t>(found.rank)];
  const double usual = median(by_rank, work);
  if (usual > 0) found.excess = work(slowest) / usual - 1;
  if (found.excess > kNotable) {
    const double data_excess = data(slowest) - median(by_rank, data);
    const double compute_excess = compute(slowest) - median(by_rank, compute);
    found.cause = data_excess > compute_excess ? Cause::kData : Cause::kCompute;
    return found;
  }
  const auto waits = [](const StepTimes& times) { return exposed(times) > kNotable * work(times); };
  if (by_rank.size() > 1 && usual > 0 && std::all_of(by_rank.begin(), by_rank.end(), waits)) {
    found.rank = longest(by_rank, exposed);
    found.cause = Cause::kNetwork;
  }
  return found;
}

}  // namespace lockstep
