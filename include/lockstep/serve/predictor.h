// The threads that run the network, and the images that wait for them. A thread that
// is free takes all that wait, up to kMostBatch, as one batch: no image waits for
// others to come. Owned by main; predict() may be called by any thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "lockstep/serve/served_model.h"

namespace lockstep {

struct PredictorOptions {
  int threads = 1;
  int most_waiting = 1024;  // images
};

class Predictor {
 public:
  static constexpr int kMostBatch = 64;  // images

  using Image = std::vector<std::uint8_t>;    // [network.input().pixels()]
  using Probabilities = std::vector<double>;  // [network.classes()]

  // `model` must outlive it.
  Predictor(const ServedModel& model, const PredictorOptions& options);
  // Ends the threads when all that waits is done.
  ~Predictor();
  Predictor(const Predictor&) = delete;
  Predictor& operator=(const Predictor&) = delete;

  // The probabilities of each image, in order; nothing where so many find no place
  // among those that wait.
  std::optional<std::vector<Probabilities>> predict(const std::vector<Image>& images);

  // Images that no thread has taken yet.
  int waiting() const;

 private:
  struct Job {
    const Image* image;
    std::promise<Probabilities> result;
  };

  void work();
  std::vector<Job> take_batch();

  const ServedModel& model_;
  const PredictorOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace lockstep
