#include "lockstep/report/compare_page.h"

#include <fmt/format.h>
#include <string.h>

#include <cmath>
#include <functional>
#include <limits>
#include <set>

#include "report/curves.h"
#include "report/page.h"
#include "report/run_curves.h"
#include "report/sections.h"
#include "report/text.h"

namespace lockstep {

namespace {

using Runs = std::vector<ComparedRun>;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

enum class Better { kMore, kLess, kNeither };

struct Column {
  const char* name;
  Better better;
  std::function<double(const ComparedRun&)> value;
  std::function<std::string(double)> shown;
};

// Runs are told apart by number: names and folders may be equal.
std::string run_name(const Runs& runs, std::size_t index) {
  return fmt::format("{}. {}", index + 1, runs[index].name);
}

std::string whole(double value) {
  return std::isfinite(value) ? grouped(std::llround(value)) : "n/a";
}

double of_best(const ComparedRun& run, double MetricsPoint::*value) {
  const MetricsPoint* best = best_epoch(run.record);
  return best == nullptr ? kNone : best->*value;
}

std::vector<Column> columns() {
  const auto loss = [](double value) { return rounded(value); };
  return {
      {"best val accuracy", Better::kMore,
       [](const ComparedRun& run) { return of_best(run, &MetricsPoint::val_accuracy); }, percent},
      {"val loss then", Better::kLess,
       [](const ComparedRun& run) { return of_best(run, &MetricsPoint::val_loss); }, loss},
      {"in epoch", Better::kNeither,
       [](const ComparedRun& run) {
         const MetricsPoint* best = best_epoch(run.record);
         return best == nullptr ? kNone : best->epoch;
       },
       whole},
      {"of", Better::kNeither,
       [](const ComparedRun& run) {
         return run.record.epochs.empty() ? 0.0 : run.record.epochs.back().epoch;
       },
       whole},
      {"time", Better::kLess, [](const ComparedRun& run) { return total_seconds(run.record); },
       duration},
      {"images/s", Better::kMore,
       [](const ComparedRun& run) { return mean_images_per_second(run.record); }, whole},
      {"ranks", Better::kNeither,
       [](const ComparedRun& run) { return static_cast<double>(run.record.ranks); }, whole},
      {"threads each", Better::kNeither,
       [](const ComparedRun& run) { return static_cast<double>(run.record.threads_per_rank); },
       whole},
      {"parameters", Better::kLess,
       [](const ComparedRun& run) { return static_cast<double>(run.parameters); }, whole}};
}

// The best value of a column; NaN where there is none, or all are equal.
double best_of(const Runs& runs, const Column& column) {
  if (column.better == Better::kNeither) return kNone;
  double best = kNone;
  bool differ = false;
  for (const ComparedRun& run : runs) {
    const double value = column.value(run);
    if (!std::isfinite(value)) continue;
    differ = differ || (std::isfinite(best) && value != best);
    const bool better = column.better == Better::kMore ? value > best : value < best;
    if (better || std::isnan(best)) best = value;
  }
  return differ ? best : kNone;
}

void write_run_heading(Markup& to, const Runs& runs, std::size_t index, const char* scope) {
  to.open("th", {{"scope", scope}, {"class", "run"}});
  write_swatch(to, index);
  to.text(run_name(runs, index)).close();
}

void write_results(Markup& to, const Runs& runs) {
  const std::vector<Column> all = columns();
  to.open("section", {{"id", "results"}}).leaf("h2", "Results");
  to.open("div", {{"class", "scroll"}}).open("table");
  std::vector<std::string> names = {"run", "folder"};
  std::vector<double> best;
  for (const Column& column : all) {
    names.emplace_back(column.name);
    best.push_back(best_of(runs, column));
  }
  write_head(to, names, 2);
  to.open("tbody");
  for (std::size_t i = 0; i < runs.size(); ++i) {
    to.open("tr");
    write_run_heading(to, runs, i, "row");
    to.leaf("td", runs[i].record.folder);
    for (std::size_t c = 0; c < all.size(); ++c) {
      const double value = all[c].value(runs[i]);
      const bool is_best = value == best[c];
      to.leaf("td", all[c].shown(value) + (is_best ? " ★" : ""),
              {{"class", is_best ? "number best" : "number"}});
    }
    to.close();
  }
  to.close().close().close();
  to.leaf("p", "★ marks the best of a column.", {{"class", "note"}}).close();
}

void write_run_curves(Markup& to, const Runs& runs) {
  std::vector<NamedRun> named;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    named.push_back({run_name(runs, i), &runs[i].record});
  }
  to.raw("\n").open("section", {{"id", "curves"}}).leaf("h2", "Curves");
  write_charts(to, curves_over_each_other(named));
  write_legend(to, named);
  to.close();
}

std::string setting(const ComparedRun& run, const std::string& path) {
  const auto found = run.settings.find(path);
  return found == run.settings.end() ? "–" : found->second;
}

void write_settings(Markup& to, const Runs& runs) {
  // layer[2] before layer[10]
  const auto before = [](const std::string& a, const std::string& b) {
    return ::strverscmp(a.c_str(), b.c_str()) < 0;
  };
  std::set<std::string, decltype(before)> paths(before);
  for (const ComparedRun& run : runs) {
    for (const auto& [path, value] : run.settings) paths.insert(path);
  }
  std::erase_if(paths, [&](const std::string& path) {
    const std::string first = setting(runs.front(), path);
    for (const ComparedRun& run : runs) {
      if (setting(run, path) != first) return false;
    }
    return true;
  });
  to.raw("\n").open("section", {{"id", "settings"}}).leaf("h2", "Settings that differ");
  if (paths.empty()) {
    to.leaf("p", "None: the experiments are equal.").close();
    return;
  }
  to.open("div", {{"class", "scroll"}}).open("table").open("thead").open("tr");
  to.leaf("th", "setting", {{"scope", "col"}});
  for (std::size_t i = 0; i < runs.size(); ++i) write_run_heading(to, runs, i, "col");
  to.close().close().open("tbody");
  for (const std::string& path : paths) {
    to.open("tr").leaf("th", path, {{"scope", "row"}, {"class", "path"}});
    for (const ComparedRun& run : runs) to.leaf("td", setting(run, path));
    to.close();
  }
  to.close().close().close().close();
}

}  // namespace

std::string compare_page(const std::vector<ComparedRun>& runs) {
  Markup body;
  body.open("header").leaf("h1", fmt::format("{} runs compared", runs.size())).close().raw("\n");
  write_results(body, runs);
  write_run_curves(body, runs);
  write_settings(body, runs);
  return whole_page(fmt::format("{} runs compared", runs.size()), body);
}

}  // namespace lockstep
