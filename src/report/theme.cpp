#include "report/theme.h"

#include <fmt/format.h>

#include <array>

namespace lockstep {

namespace {

constexpr std::array<unsigned, kSeriesColours> kLightSeries = {
    0x1f5fbf, 0xc2570c, 0x0b7f68, 0x8a3ab9, 0xb3266b, 0x6b6f00, 0x0e7490, 0x6b4f3a};

}  // namespace

unsigned light_colour(Colour colour) {
  switch (colour.ink) {
    case Ink::kText:
      return 0x16181d;
    case Ink::kMuted:
      return 0x5b6270;
    case Ink::kGrid:
      return 0xe3e6ea;
    case Ink::kGood:
      return 0x15803d;
    case Ink::kBad:
      return 0xc62828;
    case Ink::kHeat:
      return 0x1f5fbf;
    case Ink::kSeries:
      break;
  }
  return kLightSeries[static_cast<std::size_t>(colour.series % kSeriesColours)];
}

std::string class_of(Colour colour) {
  switch (colour.ink) {
    case Ink::kText:
      return "text";
    case Ink::kMuted:
      return "muted";
    case Ink::kGrid:
      return "grid";
    case Ink::kGood:
      return "good";
    case Ink::kBad:
      return "bad";
    case Ink::kHeat:
      return "heat";
    case Ink::kSeries:
      break;
  }
  return fmt::format("series{}", colour.series % kSeriesColours);
}

const std::string_view kChartStyle = R"(
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --text: #16181d; --muted: #5b6270; --grid: #e3e6ea;
  --good: #15803d; --bad: #c62828; --heat: #1f5fbf;
  --series0: #1f5fbf; --series1: #c2570c; --series2: #0b7f68; --series3: #8a3ab9;
  --series4: #b3266b; --series5: #6b6f00; --series6: #0e7490; --series7: #6b4f3a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #101216; --card: #191c22; --text: #e6e9ee; --muted: #9aa3b2; --grid: #2d323b;
    --good: #4ade80; --bad: #ff6b66; --heat: #5b9bff;
    --series0: #6ea8fe; --series1: #fb9a4b; --series2: #35c9a5; --series3: #c792ea;
    --series4: #f472b6; --series5: #c8cc3f; --series6: #4cc3e0; --series7: #c4a484;
  }
}
@media print {
  :root {
    color-scheme: light;
    --page: #ffffff; --card: #ffffff; --text: #16181d; --muted: #5b6270; --grid: #d5d9df;
    --good: #15803d; --bad: #c62828; --heat: #1f5fbf;
    --series0: #1f5fbf; --series1: #c2570c; --series2: #0b7f68; --series3: #8a3ab9;
    --series4: #b3266b; --series5: #6b6f00; --series6: #0e7490; --series7: #6b4f3a;
  }
}
.text { color: var(--text); } .muted { color: var(--muted); } .grid { color: var(--grid); }
.good { color: var(--good); } .bad { color: var(--bad); } .heat { color: var(--heat); }
.series0 { color: var(--series0); } .series1 { color: var(--series1); }
.series2 { color: var(--series2); } .series3 { color: var(--series3); }
.series4 { color: var(--series4); } .series5 { color: var(--series5); }
.series6 { color: var(--series6); } .series7 { color: var(--series7); }
svg { font-family: system-ui, "DejaVu Sans", sans-serif; font-variant-numeric: tabular-nums; }
svg rect, svg circle, svg text { fill: currentColor; }
svg polyline { fill: none; stroke: currentColor; stroke-linejoin: round; }
)";

const std::string_view kPageStyle = R"(
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--text); line-height: 1.5;
  font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; font-size: 16px;
  overflow-wrap: anywhere;
}
main { max-width: 76rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
header { margin: 0.5rem 0 1.25rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 0.25rem; }
h2 { font-size: 1.15rem; line-height: 1.3; margin: 0 0 0.75rem; }
h3 { font-size: 0.95rem; margin: 1.25rem 0 0.5rem; }
p { margin: 0 0 0.75rem; max-width: 46rem; }
section > :last-child, details > :last-child { margin-bottom: 0; }
.scroll + .note, .charts + .note { margin-top: 0.75rem; }
p, figcaption, summary { font-size: 0.925rem; }
.sub, .note { color: var(--muted); }
.sub { margin: 0; }
nav { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; margin: 0 0 1.25rem; font-size: 0.925rem; }
a { color: var(--series0); text-underline-offset: 0.2em; }
section, details {
  background: var(--card); border: 1px solid var(--grid); border-radius: 10px;
  padding: 1.1rem 1.25rem; margin: 0 0 1rem;
}
.cards { display: grid; gap: 0.75rem; margin: 0 0 1rem;
  grid-template-columns: repeat(4, 1fr); }
.card { background: var(--card); border: 1px solid var(--grid); border-radius: 10px;
  padding: 0.75rem 1rem; }
.card dt, .card .more { color: var(--muted); font-size: 0.825rem; }
.card dd { margin: 0; }
.card .value { font-size: 1.45rem; line-height: 1.3; font-weight: 600;
  font-variant-numeric: tabular-nums; }
.charts { display: grid; gap: 1rem 1.5rem;
  grid-template-columns: repeat(auto-fit, minmax(min(19rem, 100%), 1fr)); }
.chart { display: block; width: 100%; height: auto; }
.beside { display: grid; gap: 1.25rem 2rem; align-items: start;
  grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); }
.beside > * { min-width: 0; }
.beside h3 { margin-top: 0.35rem; }
.scroll { overflow-x: auto; }
.scroll .chart { min-width: 30rem; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.3rem 0.75rem; text-align: left; vertical-align: baseline;
  border-bottom: 1px solid var(--grid); }
th:first-child, td:first-child { padding-left: 0; }
table.wide { width: 100%; }
thead th { color: var(--muted); font-weight: 500; white-space: nowrap; }
tbody th { font-weight: 500; min-width: 4rem; max-width: 22rem; }
th.run { min-width: 8.5rem; }
th.path { min-width: 15rem; }
tr:last-child th, tr:last-child td { border-bottom: 0; }
.number { text-align: right; white-space: nowrap; }
tr.total th, tr.total td { color: var(--muted); }
.best { color: var(--good); font-weight: 600; }
.gallery { display: grid; gap: 0.9rem 0.6rem; margin: 0;
  grid-template-columns: repeat(auto-fill, minmax(6.25rem, 1fr)); }
figure { margin: 0; }
.shot { font-size: 0.8rem; line-height: 1.35; }
.shot img { display: block; width: 5.5rem; height: 5.5rem; object-fit: contain;
  image-rendering: pixelated; border-radius: 6px; border: 2px solid var(--grid);
  background: #000; margin: 0 0 0.25rem; }
.shot.wrong img { border-color: var(--bad); }
.shot .line { display: block; }
.shot strong { font-weight: 600; }
.samples { display: grid; gap: 0.75rem 2rem;
  grid-template-columns: repeat(auto-fill, minmax(min(31rem, 100%), 1fr)); }
.strip { display: flex; flex-wrap: wrap; gap: 0.5rem; align-items: center; }
.strip .name { width: 7.5rem; font-size: 0.85rem; line-height: 1.35; }
.strip img { width: 4rem; height: 4rem; object-fit: contain; image-rendering: pixelated;
  border-radius: 6px; border: 2px solid var(--grid); background: #000; }
.strip img:first-of-type { margin-right: 0.5rem; border-color: var(--muted); }
summary { cursor: pointer; font-weight: 600; font-size: 1.05rem; }
details[open] summary { margin-bottom: 0.75rem; }
pre { margin: 0; overflow-x: auto; font-size: 0.825rem; line-height: 1.45;
  overflow-wrap: normal; font-family: ui-monospace, "DejaVu Sans Mono", monospace; }
.halo text { paint-order: stroke; stroke: var(--card); stroke-width: 3px; stroke-linejoin: round; }
.whole { white-space: nowrap; }
.legend { list-style: none; margin: 0.75rem 0 0; padding: 0; font-size: 0.925rem; display: grid;
  gap: 0.15rem 1.5rem; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); }
.swatch { display: inline-block; width: 0.8em; height: 0.8em; border-radius: 3px;
  background: currentColor; margin-right: 0.45em; }
@media (max-width: 48rem) { .cards { grid-template-columns: repeat(2, 1fr); gap: 0.5rem; } }
@media (max-width: 30rem) {
  main { padding: 1rem 0.75rem 3rem; }
  section, details { padding: 0.9rem 0.9rem; }
  .card { padding: 0.6rem 0.75rem; }
  .card .value { font-size: 1.25rem; }
  table { font-size: 0.85rem; }
  th, td { padding: 0.3rem 0.4rem; }
  .gallery { grid-template-columns: repeat(3, 1fr); }
  .strip .name { width: 100%; }
  .strip img { width: 3.25rem; height: 3.25rem; }
}
@media print {
  body { font-size: 10pt; }
  .scroll { overflow: visible; }
  table { font-size: 8pt; }
  th, td { padding: 0.2rem 0.35rem; }
  .cards { grid-template-columns: repeat(4, 1fr); }
  .gallery { grid-template-columns: repeat(8, 1fr); }
  .shot img { width: 4rem; height: 4rem; }
  main { max-width: none; padding: 0; }
  nav { display: none; }
  section, .card, figure, tr, .strip { break-inside: avoid; }
  section.long { break-inside: auto; }
  h2, summary { break-after: avoid; }
  details::details-content { content-visibility: visible; height: auto; }
  pre { white-space: pre-wrap; }
}
)";

}  // namespace lockstep
