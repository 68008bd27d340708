#include "lockstep/report/sweep_page.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "lockstep/core/text.h"
#include "report/page.h"
#include "report/parallel_coordinates.h"
#include "report/render.h"
#include "report/run_curves.h"
#include "report/text.h"

namespace lockstep {

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kPhoneScale = 0.75;  // of a chart, so that its words can still be read

// The settings of a run: learning_rate 0.003, seed 2.
std::string settings_of(const Sweep& sweep, const SweptRun& run) {
  const std::vector<std::string> names = short_names(sweep.fields);
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < names.size(); ++i) {
    parts.push_back(fmt::format("{} {}", names[i], run.values[i]));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

bool is_ranked(const Sweep& sweep, const SweptRun& run) {
  return run.state == "done" && best_epoch(run, sweep.ranked_by) != nullptr;
}

// The epoch is the best one by one metric; the other metric has its value then.
const char* accuracy_name(const Sweep& sweep) {
  return sweep.ranked_by == RankedBy::kValLoss ? "val accuracy then" : "best val accuracy";
}

const char* loss_name(const Sweep& sweep) {
  return sweep.ranked_by == RankedBy::kValLoss ? "best val loss" : "val loss then";
}

std::string epoch_text(const SweptRun& run, const MetricsPoint& best) {
  return fmt::format("{} of {}", best.epoch, run.record.epochs.back().epoch);
}

void write_header(Markup& to, const Sweep& sweep) {
  to.open("header").leaf("h1", sweep.name + ": sweep");
  to.leaf(
      "p",
      fmt::format("{} over {}", count_of(sweep.runs.size(), "run"), fmt::join(sweep.fields, ", ")),
      {{"class", "sub"}});
  to.close().raw("\n");
}

void write_best(Markup& to, const Sweep& sweep) {
  const auto count = [&](auto is_such) {
    return std::count_if(sweep.runs.begin(), sweep.runs.end(), is_such);
  };
  const auto done = count([](const SweptRun& run) { return run.state == "done"; });
  const auto failed = count(has_failed);
  double seconds = 0;
  for (const SweptRun& run : sweep.runs) seconds += run.seconds;
  std::vector<Card> cards;
  if (const SweptRun* best = best_run(sweep)) {
    const MetricsPoint& epoch = *best_epoch(*best, sweep.ranked_by);
    cards.push_back({accuracy_name(sweep), percent(epoch.val_accuracy),
                     fmt::format("run {}: {}", best->folder, settings_of(sweep, *best))});
    cards.push_back({loss_name(sweep), rounded(epoch.val_loss),
                     fmt::format("in epoch {}", epoch_text(*best, epoch))});
  }
  cards.push_back({"runs done", fmt::format("{} of {}", done, sweep.runs.size()),
                   failed == 0 ? "none failed" : fmt::format("{} failed", failed)});
  cards.push_back({"time", duration(seconds), "of all runs together"});
  write_cards(to, cards);
}

std::vector<ParallelLine> parallel_lines(const Sweep& sweep) {
  std::vector<ParallelLine> lines;
  for (const SweptRun& run : sweep.runs) {
    const MetricsPoint* best = is_ranked(sweep, run) ? best_epoch(run, sweep.ranked_by) : nullptr;
    double result = kNone;
    if (best != nullptr) {
      result = sweep.ranked_by == RankedBy::kValLoss ? best->val_loss : best->val_accuracy;
    }
    lines.push_back(
        {fmt::format("run {} ({})", run.folder, settings_of(sweep, run)), run.values, result});
  }
  return lines;
}

void write_parallel(Markup& to, const Sweep& sweep) {
  const bool by_loss = sweep.ranked_by == RankedBy::kValLoss;
  const Drawing chart = parallel_coordinates({.title = "Settings and result",
                                              .fields = short_names(sweep.fields),
                                              .result = by_loss ? "val loss" : "val accuracy",
                                              .unit = by_loss ? Unit::kNumber : Unit::kShare},
                                             parallel_lines(sweep));
  to.raw("\n").open("section", {{"id", "parallel"}}).leaf("h2", "Settings and result");
  to.open("div", {{"class", "scroll"}});
  to.open("div", {{"class", "halo"},
                  {"style", fmt::format("min-width: {:.0f}px", kPhoneScale * chart.width)}});
  to.raw(inline_svg(chart)).close().close();
  to.leaf("p",
          fmt::format("A line is a run: the {} its {}, the stronger its colour; green is the best. "
                      "Red lines that end early are runs without a result.",
                      by_loss ? "less" : "more", by_loss ? "loss" : "accuracy"),
          {{"class", "note"}});
  to.close();
}

void write_metric(Markup& to, const std::string& text, bool is_best) {
  to.leaf("td", text + (is_best ? " ★" : ""), {{"class", is_best ? "number best" : "number"}});
}

void write_run(Markup& to, const Sweep& sweep, std::size_t index) {
  const SweptRun& run = sweep.runs[index];
  const MetricsPoint* best = best_epoch(run, sweep.ranked_by);
  const bool has_rank = is_ranked(sweep, run);
  to.open("tr");
  write_number(to, has_rank ? std::to_string(index + 1) : "–");
  to.open("th", {{"scope", "row"}, {"class", "whole"}});
  if (has_rank && index < kSeriesColours) write_swatch(to, index);
  to.text(run.folder).close();
  for (const std::string& value : run.values) write_number(to, value.empty() ? "default" : value);
  const bool by_loss = sweep.ranked_by == RankedBy::kValLoss;
  write_metric(to, best == nullptr ? "–" : percent(best->val_accuracy),
               has_rank && index == 0 && !by_loss);
  write_metric(to, best == nullptr ? "–" : rounded(best->val_loss),
               has_rank && index == 0 && by_loss);
  write_number(to, best == nullptr ? "–" : epoch_text(run, *best));
  write_number(to, run.seconds > 0 ? duration(run.seconds) : "–");
  to.leaf("td", run.state, {{"class", has_failed(run) ? "whole bad" : "whole"}}).close();
}

void write_runs(Markup& to, const Sweep& sweep) {
  to.raw("\n").open("section", {{"id", "runs"}, {"class", "long"}}).leaf("h2", "Runs");
  to.open("div", {{"class", "scroll"}}).open("table").open("thead").open("tr");
  to.leaf("th", "rank", {{"scope", "col"}, {"class", "number"}});
  to.leaf("th", "run", {{"scope", "col"}});
  std::vector<std::string> names = short_names(sweep.fields);
  for (const char* name : {accuracy_name(sweep), loss_name(sweep), "in epoch", "time"}) {
    names.emplace_back(name);
  }
  for (const std::string& name : names) {
    to.leaf("th", name, {{"scope", "col"}, {"class", "number"}});
  }
  to.leaf("th", "state", {{"scope", "col"}}).close().close().open("tbody");
  for (std::size_t i = 0; i < sweep.runs.size(); ++i) write_run(to, sweep, i);
  to.close().close().close().close();
}

void write_best_curves(Markup& to, const Sweep& sweep) {
  std::vector<NamedRun> best;
  for (const SweptRun& run : sweep.runs) {
    if (!is_ranked(sweep, run) || best.size() == kSeriesColours) break;
    best.push_back({fmt::format("{} ({})", run.folder, settings_of(sweep, run)), &run.record});
  }
  if (best.empty()) return;
  to.raw("\n").open("section", {{"id", "curves"}});
  to.leaf("h2", best.size() < sweep.runs.size() ? fmt::format("Curves of the best {}", best.size())
                                                : "Curves");
  write_charts(to, curves_over_each_other(best));
  to.open("ul", {{"class", "legend note"}});
  for (std::size_t i = 0; i < best.size(); ++i) {
    to.open("li");
    write_swatch(to, i);
    to.text(best[i].name).close();
  }
  to.close().close();
}

void write_failures(Markup& to, const Sweep& sweep) {
  const std::vector<SweepFailure> found = failures(sweep.runs);
  if (found.empty()) return;
  to.raw("\n").open("section", {{"id", "failures"}}).leaf("h2", "Failures");
  for (const SweepFailure& failure : found) {
    to.open("p").leaf("strong", fmt::format("{}", fmt::join(failure.folders, ", ")));
    to.text(fmt::format(" {}: {}", failure.state, failure.cause)).close();
  }
  to.close();
}

void write_best_experiment(Markup& to, const Sweep& sweep) {
  if (sweep.best_experiment.empty()) return;
  open_folded(to, "best", "Experiment of the best run (best.textproto)");
  to.leaf("pre", sweep.best_experiment).close();
}

}  // namespace

std::string sweep_page(const Sweep& sweep) {
  Markup body;
  write_header(body, sweep);
  write_best(body, sweep);
  for (const auto write :
       {write_parallel, write_runs, write_best_curves, write_failures, write_best_experiment}) {
    write(body, sweep);
  }
  return whole_page(sweep.name + ": sweep", body);
}

}  // namespace lockstep
