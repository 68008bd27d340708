#include "lockstep/serve/predictor.h"

#include <algorithm>
#include <exception>
#include <span>
#include <utility>

#include "lockstep/eval/evaluator.h"
#include "lockstep/model/lane_executor.h"

namespace lockstep {

Predictor::Predictor(const ServedModel& model, const PredictorOptions& options)
    : model_(model), options_(options) {
  for (int i = 0; i < options.threads; ++i) threads_.emplace_back([this] { work(); });
}

Predictor::~Predictor() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

std::optional<std::vector<Predictor::Probabilities>> Predictor::predict(
    const std::vector<Image>& images) {
  std::vector<std::future<Probabilities>> futures;
  {
    const std::lock_guard lock(mutex_);
    if (jobs_.size() + images.size() > static_cast<std::size_t>(options_.most_waiting)) return {};
    for (const Image& image : images) {
      futures.push_back(jobs_.emplace_back(Job{&image, {}}).result.get_future());
    }
  }
  changed_.notify_one();
  // The images must stay until every thread is done with them.
  for (const auto& future : futures) future.wait();
  std::vector<Probabilities> results;
  for (auto& future : futures) results.push_back(future.get());
  return results;
}

int Predictor::waiting() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(jobs_.size());
}

std::vector<Predictor::Job> Predictor::take_batch() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
  const auto count = std::min(jobs_.size(), static_cast<std::size_t>(kMostBatch));
  const auto last = jobs_.begin() + static_cast<std::ptrdiff_t>(count);
  std::vector<Job> batch(std::make_move_iterator(jobs_.begin()), std::make_move_iterator(last));
  jobs_.erase(jobs_.begin(), last);
  // A request wakes one thread only, however many images it brings.
  if (!jobs_.empty()) changed_.notify_one();
  return batch;
}

void Predictor::work() {
  prepare_worker_thread();
  LaneExecutor executor(model_.network, model_.weights.precision());
  const auto pixels = static_cast<std::size_t>(model_.network.input().pixels());
  const auto classes = static_cast<std::size_t>(model_.network.classes());
  Batch batch;
  std::vector<float> logits;
  for (std::vector<Job> jobs = take_batch(); !jobs.empty(); jobs = take_batch()) {
    try {
      batch.size = static_cast<int>(jobs.size());
      batch.images.resize(jobs.size() * pixels);
      batch.rows.assign(jobs.size(), 0);
      logits.resize(jobs.size() * classes);
      for (std::size_t i = 0; i < jobs.size(); ++i) {
        normalize(PixelView(*jobs[i].image), model_.network.input(), model_.normalization,
                  std::span(batch.images).subspan(i * pixels, pixels));
      }
      executor.infer(model_.weights, batch, logits);
    } catch (...) {
      for (Job& job : jobs) job.result.set_exception(std::current_exception());
      continue;
    }
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      jobs[i].result.set_value(probabilities(std::span(logits).subspan(i * classes, classes)));
    }
  }
}

}  // namespace lockstep
