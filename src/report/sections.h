// The sections of a run's page, in their order. Each writes nothing where there is
// nothing to show.
#pragma once

#include "lockstep/report/report_data.h"
#include "report/markup.h"

namespace lockstep {

// report_results.cpp: what the network reached.
void write_summary(Markup& to, const ReportData& data);
void write_curves(Markup& to, const ReportData& data);
void write_confusion(Markup& to, const ReportData& data);
void write_classes(Markup& to, const ReportData& data);

// report_rows.cpp: pictures of rows.
void write_mistakes(Markup& to, const ReportData& data);
void write_showcase(Markup& to, const ReportData& data);
void write_data(Markup& to, const ReportData& data);

// report_facts.cpp: what was run, and where.
void write_model(Markup& to, const ReportData& data);
void write_times(Markup& to, const ReportData& data);
void write_epochs(Markup& to, const ReportData& data);
void write_experiment(Markup& to, const ReportData& data);
void write_environment(Markup& to, const ReportData& data);

// Training images per second over all epochs; NaN when not known.
double mean_images_per_second(const RunRecord& run);
// Of all epochs; NaN when not known.
double total_seconds(const RunRecord& run);

}  // namespace lockstep
