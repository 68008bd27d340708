#include "lockstep/callbacks/metrics_log.h"

#include <fcntl.h>

#include <sstream>

#include "lockstep/core/files.h"
#include "lockstep/run/metrics_line.h"
#include "lockstep/run/run_files.h"

namespace lockstep {

namespace {

// Whether the run state holds what `line` tells, so that it is not written again.
bool is_kept(const std::string& line, const RunEvent& event) {
  const std::optional<MetricsPoint> point = read_metrics_line(line);
  if (!point || point->step > event.first_step) return false;
  return point->kind != "epoch" || point->epoch <= event.first_epoch;
}

// `unwritten` is what should follow in the file.
void cut_off(const fs::path& path, const std::string& unwritten, const RunEvent& event) {
  const std::string content = fs::exists(path) ? read_file(path) : "";
  std::istringstream lines(content + unwritten);
  std::string kept;
  for (std::string line; std::getline(lines, line);) {
    if (is_kept(line, event)) kept += line + '\n';
  }
  if (kept != content) write_file_atomically(path, kept);
}

}  // namespace

void MetricsLog::on_run_begin(const RunEvent& event) {
  if (event.run_dir.empty()) return;
  const fs::path path = fs::path(event.run_dir) / kMetricsFile;
  cut_off(path, file_.close(), event);
  file_.open(path, O_CREAT);
  open_ = true;
}

void MetricsLog::on_step(const StepEvent& event) {
  if (every_steps_ <= 0 || event.step % every_steps_ != 0) return;
  append(metrics_line(event));
}

Directive MetricsLog::on_epoch_end(const EpochEvent& event) {
  append(metrics_line(event));
  return {};
}

void MetricsLog::append(const std::string& line) {
  if (open_) file_.append(line + '\n');
}

}  // namespace lockstep
