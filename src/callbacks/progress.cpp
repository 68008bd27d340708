#include "lockstep/callbacks/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string_view>

#include "lockstep/core/output.h"
#include "lockstep/core/text.h"

namespace lockstep {

namespace {

constexpr double kLivePeriodSeconds = 0.1;
constexpr double kPlainPeriodSeconds = 10;
constexpr int kLeastBarColumns = 5;
constexpr int kMostBarColumns = 30;

constexpr const char* kEraseLine = "\r\x1b[K";
constexpr const char* kBestColour = "\x1b[1;32m";
constexpr const char* kLiveColour = "\x1b[36m";
constexpr const char* kNoColour = "\x1b[0m";

std::string clock(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string clock(const std::optional<double>& seconds) {
  return seconds ? clock(*seconds) : "-:--";
}

std::string loss_text(double loss) { return std::isnan(loss) ? "-" : fmt::format("{:.4f}", loss); }

std::string percent(double share) {
  return std::isnan(share) ? "-" : fmt::format("{:.2f}%", 100 * share);
}

// The column of the top-k accuracy, where there is one.
std::string top_k_cell(int top_k, const std::string& text) {
  return top_k > 0 ? fmt::format("  {:>9}", text) : "";
}

std::string table_header(int top_k) {
  return fmt::format("{:>5}  {:>10}  {:>9}  {:>8}  {:>7}{}  {:>8}  {:>8}  {:>7}", "epoch",
                     "train loss", "train acc", "val loss", "val acc",
                     top_k_cell(top_k, fmt::format("val top-{}", top_k)), "lr", "images/s",
                     "seconds");
}

std::string table_row(const EpochEvent& event) {
  return fmt::format("{:>5}  {:>10}  {:>9}  {:>8}  {:>7}{}  {:>8.2e}  {:>8.0f}  {:>7.1f}",
                     event.epoch + 1, loss_text(event.train_loss), percent(event.train_accuracy),
                     loss_text(event.val_loss), percent(event.val_accuracy),
                     top_k_cell(event.top_k, percent(event.val_top_k_accuracy)),
                     event.learning_rate, event.images_per_second, event.seconds);
}

// "[####----] " of `columns` columns, or nothing where that is too narrow.
std::string bar(double share, int columns) {
  const int cells = std::min(columns - 3, kMostBarColumns);
  if (cells < kLeastBarColumns) return {};
  const int full = std::clamp(static_cast<int>(share * cells), 0, cells);
  return fmt::format("[{:#<{}}{:-<{}}] ", "", full, "", cells - full);
}

std::string run_line(const RunEvent& event) {
  return fmt::format("training {}, validation {}; {} of {}, global batch {}; {}, {} each",
                     count_of(event.data.training_rows, "row"),
                     count_of(event.data.validation_rows, "row"), count_of(event.epochs, "epoch"),
                     count_of(event.steps_per_epoch, "step"), event.global_batch,
                     count_of(event.world_size, "rank"), count_of(event.workers, "worker"));
}

// What is less is in metrics.jsonl alone.
constexpr double kShownExcess = 0.25;

// Empty where no rank held the others up by much.
std::string straggler_line(const Straggler& straggler) {
  if (straggler.cause == Cause::kNone) return {};
  if (straggler.cause == Cause::kNetwork) {
    return fmt::format("          all ranks wait for the network, rank {} longest", straggler.rank);
  }
  if (straggler.excess < kShownExcess) return {};
  return fmt::format("          slowest: rank {}, {:.0f} % over the median, for {}", straggler.rank,
                     straggler.excess * 100, name_of(straggler.cause));
}

}  // namespace

Progress::Progress(const ProgressOutput& output, const BestCheckpointOptions& best)
    : output_(output), metric_(best) {
  if (!live()) shown_at_seconds_ = 0;
}

void Progress::on_run_begin(const RunEvent& event) {
  run_ = event;
  time_left_.begin(event);
  print_line(run_line(event));
  if (event.first_step > 0) {
    print_line(fmt::format("going on after step {}, in epoch {}", event.first_step,
                           event.first_epoch + 1));
  }
  print_line(table_header(event.top_k));
}

void Progress::on_step(const StepEvent& event) {
  const auto seconds_left = time_left_.update(event);
  const double period = live() ? kLivePeriodSeconds : kPlainPeriodSeconds;
  if (event.seconds - shown_at_seconds_ < period) return;
  shown_at_seconds_ = event.seconds;
  if (live()) {
    draw(live_line(event, seconds_left));
  } else {
    print_line(step_line(event, seconds_left));
  }
}

Directive Progress::on_epoch_end(const EpochEvent& event) {
  const bool best = metric_.update(event);
  const std::string row = table_row(event) + (best ? " *" : "");
  const bool coloured = best && output_.style == ProgressStyle::kColour;
  print_line(coloured ? kBestColour + row + kNoColour : row);
  const Straggler& now = event.straggler;
  const std::string line = straggler_line(now);
  const bool is_news = now.rank != straggler_.rank || now.cause != straggler_.cause;
  if (!line.empty() && is_news) {
    print_line(line);
    straggler_ = now;
  }
  return {};
}

void Progress::on_run_end(const EndEvent& event) {
  print_line(fmt::format("ended after {}, {}, {}: {}", count_of(event.epochs, "epoch"),
                         count_of(event.step, "step"), clock(event.seconds), event.reason));
  if (!metric_.best()) return;
  print_line(fmt::format("best {}: {:.6g} in epoch {}", metric_.name(), *metric_.best(),
                         metric_.best_epoch() + 1));
}

int Progress::columns() const {
  const int now = terminal_columns(output_.stream);
  return now > 0 ? now : output_.columns;
}

std::string Progress::live_line(const StepEvent& event,
                                const std::optional<double>& seconds_left) const {
  const std::string text =
      fmt::format("epoch {}/{} step {}/{} loss {} acc {} {:.0f} images/s {} left", event.epoch + 1,
                  run_.epochs, event.epoch_step, run_.steps_per_epoch, loss_text(event.train_loss),
                  percent(event.train_accuracy), event.images_per_second, clock(seconds_left));
  // Some terminals wrap as soon as the last column is written.
  const int room = std::max(columns() - 1, 0);
  const double share =
      static_cast<double>(event.epoch_step) / static_cast<double>(run_.steps_per_epoch);
  const std::string line = bar(share, room - static_cast<int>(text.size())) + text;
  return line.substr(0, static_cast<std::size_t>(room));
}

std::string Progress::step_line(const StepEvent& event,
                                const std::optional<double>& seconds_left) const {
  return fmt::format("epoch {}/{}, step {}/{}: loss {}, acc {}, {:.0f} images/s, {} left",
                     event.epoch + 1, run_.epochs, event.epoch_step, run_.steps_per_epoch,
                     loss_text(event.train_loss), percent(event.train_accuracy),
                     event.images_per_second, clock(seconds_left));
}

void Progress::print_line(const std::string& line) {
  put((live() ? kEraseLine : "") + line + '\n', output_.stream);
}

void Progress::draw(const std::string& line) const {
  const bool coloured = output_.style == ProgressStyle::kColour;
  put(kEraseLine + (coloured ? kLiveColour + line + kNoColour : line), output_.stream);
}

}  // namespace lockstep
