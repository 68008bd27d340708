#include "lockstep/eval/evaluator.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

namespace lockstep {

namespace {

// Cross entropy of one row: log sum exp(logits) - logit of the label.
double loss_of(std::span<const float> logits, std::int32_t label) {
  const float largest = *std::max_element(logits.begin(), logits.end());
  double total = 0;
  for (const float logit : logits) total += std::exp(static_cast<double>(logit) - largest);
  return std::log(total) + largest - logits[static_cast<std::size_t>(label)];
}

// Each rank's values, one rank after the other, on every rank.
std::vector<double> gather_in_order(Communicator& comm, const std::vector<double>& mine) {
  const auto bytes = std::as_bytes(std::span(mine));
  const std::vector<std::byte> copy(bytes.begin(), bytes.end());
  const auto parts = comm.all_to_all(
      std::vector<std::vector<std::byte>>(static_cast<std::size_t>(comm.world_size()), copy));
  std::vector<double> all;
  for (const auto& part : parts) {
    const std::size_t before = all.size();
    all.resize(before + part.size() / sizeof(double));
    if (!part.empty()) std::memcpy(all.data() + before, part.data(), part.size());
  }
  return all;
}

}  // namespace

CpuEvaluator::CpuEvaluator(const Network& network, Workers& workers, Precision precision,
                           Normalization normalization, const EvaluationOptions& options)
    : Evaluator(network.classes(), options),
      network_(network),
      workers_(workers),
      normalization_(std::move(normalization)) {
  for (int worker = 0; worker < workers.count(); ++worker) {
    executors_.emplace_back(network, precision);
  }
  batches_.resize(executors_.size());
  views_.resize(executors_.size());
  view_logits_.resize(executors_.size());
}

std::vector<float> CpuEvaluator::logits(const Weights& weights, const RowShare& rows) {
  const auto classes = static_cast<std::size_t>(network_.classes());
  std::vector<float> logits(static_cast<std::size_t>(rows.size()) * classes);
  std::atomic<std::int64_t> next{0};
  workers_.run([&](int worker) {
    const auto w = static_cast<std::size_t>(worker);
    for (std::int64_t chunk = next++; chunk < rows.chunks(); chunk = next++) {
      const Range range = rows.chunk(chunk);
      fill_batch(rows, range, normalization_, batches_[w]);
      const auto of_chunk =
          std::span(logits).subspan(static_cast<std::size_t>(range.first) * classes,
                                    static_cast<std::size_t>(range.size()) * classes);
      infer_views(weights, w, of_chunk);
    }
  });
  return logits;
}

void CpuEvaluator::infer_views(const Weights& weights, std::size_t worker,
                               std::span<float> logits) {
  const std::vector<View> views = this->views();
  const Batch& batch = batches_[worker];
  executors_[worker].infer(weights, batch, logits);
  if (views.size() == 1) return;
  for (float& logit : logits) logit *= views.front().part;
  Batch& other = views_[worker];
  other = batch;
  std::vector<float>& of_view = view_logits_[worker];
  of_view.resize(logits.size());
  for (std::size_t i = 1; i < views.size(); ++i) {
    show(network_.input(), views[i], batch.images, other.images);
    executors_[worker].infer(weights, other, of_view);
    for (std::size_t k = 0; k < logits.size(); ++k) logits[k] += of_view[k] * views[i].part;
  }
}

Evaluation Evaluator::evaluate(Communicator& comm, const Weights& weights, const RowShare& rows,
                               const std::vector<std::string>& class_names) {
  return evaluate(comm, logits(weights, rows), rows, class_names);
}

Evaluation Evaluator::evaluate(Communicator& comm, std::span<const float> logits,
                               const RowShare& rows,
                               const std::vector<std::string>& class_names) const {
  const auto classes = static_cast<std::size_t>(classes_);
  std::vector<std::int64_t> confusion(classes * classes + 1, 0);  // and the hits among top_k
  std::vector<double> chunk_losses(static_cast<std::size_t>(rows.chunks()), 0.0);
  for (std::size_t row = 0; row < static_cast<std::size_t>(rows.size()); ++row) {
    const auto of_row = logits.subspan(row * classes, classes);
    ++confusion[static_cast<std::size_t>(rows.labels[row]) * classes + likeliest(of_row)];
    if (is_among_largest(of_row, rows.labels[row], top_k())) ++confusion.back();
    chunk_losses[row / static_cast<std::size_t>(kChunkRows)] += loss_of(of_row, rows.labels[row]);
  }
  comm.sum(confusion);
  Evaluation evaluation;
  evaluation.classes = classes_;
  evaluation.class_names = class_names;
  evaluation.top_k = top_k();
  evaluation.top_k_correct = confusion.back();
  confusion.pop_back();
  evaluation.confusion = std::move(confusion);
  for (const double loss : gather_in_order(comm, chunk_losses)) evaluation.loss_sum += loss;
  return evaluation;
}

std::vector<double> probabilities(std::span<const float> logits) {
  const float largest = *std::max_element(logits.begin(), logits.end());
  std::vector<double> result;
  result.reserve(logits.size());
  double total = 0;
  for (const float logit : logits) {
    result.push_back(std::exp(static_cast<double>(logit) - largest));
    total += result.back();
  }
  // Logits beyond fp32 give a NaN, of any sign.
  if (std::isnan(total)) {
    std::fill(result.begin(), result.end(), std::numeric_limits<double>::quiet_NaN());
  }
  for (double& each : result) each /= total;
  return result;
}

bool is_among_largest(std::span<const float> logits, std::int32_t label, int k) {
  const auto own = static_cast<std::size_t>(label);
  if (std::isnan(logits[own])) return false;
  int before = 0;
  for (std::size_t c = 0; c < logits.size() && before < k; ++c) {
    if (logits[c] > logits[own] || (logits[c] == logits[own] && c < own)) ++before;
  }
  return before < k;
}

void show(const ImageShape& shape, const View& view, std::span<const float> images,
          std::span<float> to) {
  const auto channels = static_cast<std::size_t>(shape.channels);
  const auto size = static_cast<std::size_t>(shape.pixels());
  for (std::size_t first = 0; first < images.size(); first += size) {
    const float* image = images.data() + first;
    float* shown = to.data() + first;
    for (int y = 0; y < shape.height; ++y) {
      const int from_y = std::clamp(y + view.shift, 0, shape.height - 1);
      for (int x = 0; x < shape.width; ++x, shown += channels) {
        const int seen = view.mirrored ? shape.width - 1 - x : x;
        const int from_x = std::clamp(seen + view.shift, 0, shape.width - 1);
        std::copy_n(image + (from_y * shape.width + from_x) * channels, channels, shown);
      }
    }
  }
}

std::size_t likeliest(std::span<const float> logits) {
  return static_cast<std::size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

}  // namespace lockstep
