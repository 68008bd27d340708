// What the server counts, as text for Prometheus. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace lockstep {

class Metrics {
 public:
  // An answered request, from its first byte to its last.
  void count_request(std::string_view route, int status, double seconds);
  void count_predictions(std::int64_t images);

  // In the text format 0.0.4; gauges as of now.
  std::string text(std::int64_t waiting_images, std::int64_t connections) const;

  // Upper bounds of the histogram's buckets, in seconds.
  static constexpr std::array<double, 10> kBounds = {0.0005, 0.001, 0.0025, 0.005, 0.01,
                                                     0.025,  0.05,  0.1,    0.5,   5};

 private:
  struct Histogram {
    std::array<std::int64_t, kBounds.size()> counts{};  // by bucket, not cumulative
    std::int64_t total = 0;
    double sum = 0;
  };

  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, std::int64_t> requests_;  // by route and status
  std::map<std::string, Histogram> seconds_;                      // by route
  std::int64_t predictions_ = 0;
};

}  // namespace lockstep
