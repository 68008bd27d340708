#include "serve/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace lockstep {

namespace {

void add_head(std::string& text, std::string_view name, std::string_view kind,
              std::string_view help) {
  fmt::format_to(std::back_inserter(text), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, kind);
}

void add_value(std::string& text, std::string_view name, std::string_view kind,
               std::string_view help, std::int64_t value) {
  add_head(text, name, kind, help);
  fmt::format_to(std::back_inserter(text), "{} {}\n", name, value);
}

}  // namespace

void Metrics::count_request(std::string_view route, int status, double seconds) {
  const auto bucket = static_cast<std::size_t>(
      std::lower_bound(kBounds.begin(), kBounds.end(), seconds) - kBounds.begin());
  const std::lock_guard lock(mutex_);
  ++requests_[{std::string(route), status}];
  Histogram& histogram = seconds_[std::string(route)];
  if (bucket < kBounds.size()) ++histogram.counts[bucket];
  ++histogram.total;
  histogram.sum += seconds;
}

void Metrics::count_predictions(std::int64_t images) {
  const std::lock_guard lock(mutex_);
  predictions_ += images;
}

std::string Metrics::text(std::int64_t waiting_images, std::int64_t connections) const {
  std::string text;
  const auto out = std::back_inserter(text);
  const std::lock_guard lock(mutex_);
  add_head(text, "lockstep_requests_total", "counter", "Answered requests.");
  for (const auto& [key, count] : requests_) {
    fmt::format_to(out, "lockstep_requests_total{{route=\"{}\",status=\"{}\"}} {}\n", key.first,
                   key.second, count);
  }
  constexpr std::string_view kSeconds = "lockstep_request_seconds";
  add_head(text, kSeconds, "histogram", "From a request's first byte to the answer's last.");
  for (const auto& [route, histogram] : seconds_) {
    std::int64_t below = 0;
    for (std::size_t i = 0; i < kBounds.size(); ++i) {
      below += histogram.counts[i];
      fmt::format_to(out, "{}_bucket{{route=\"{}\",le=\"{}\"}} {}\n", kSeconds, route, kBounds[i],
                     below);
    }
    fmt::format_to(out, "{}_bucket{{route=\"{}\",le=\"+Inf\"}} {}\n", kSeconds, route,
                   histogram.total);
    fmt::format_to(out, "{}_sum{{route=\"{}\"}} {}\n{}_count{{route=\"{}\"}} {}\n", kSeconds, route,
                   histogram.sum, kSeconds, route, histogram.total);
  }
  add_value(text, "lockstep_predictions_total", "counter", "Predicted images.", predictions_);
  add_value(text, "lockstep_waiting_images", "gauge", "Images that no thread has taken yet.",
            waiting_images);
  add_value(text, "lockstep_connections", "gauge", "Open connections.", connections);
  return text;
}

}  // namespace lockstep
