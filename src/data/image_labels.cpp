// What folders and names of image files say.

#include <algorithm>
#include <set>

#include "data/csv_text.h"
#include "data/image_files.h"
#include "lockstep/core/error.h"
#include "lockstep/core/text.h"

namespace lockstep {

namespace {

std::vector<std::string_view> parts_of(std::string_view name) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t slash = name.find('/');
    parts.push_back(name.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    name.remove_prefix(slash + 1);
  }
}

using Parts = std::vector<std::vector<std::string_view>>;

std::set<std::string_view> values_at(const Parts& names, std::size_t depth) {
  std::set<std::string_view> values;
  for (const auto& parts : names) {
    values.insert(depth + 1 < parts.size() ? parts[depth] : std::string_view());
  }
  return values;
}

// Whether the folders at `depth` are the uses of rows, two of them at least.
bool are_uses(const std::set<std::string_view>& folders) {
  return folders.size() > 1 && std::all_of(folders.begin(), folders.end(), [](auto folder) {
           return row_use_of(folder).has_value();
         });
}

}  // namespace

std::string label_by_folders(const std::string& source, std::vector<ImageEntry>& entries) {
  Parts names;
  for (const ImageEntry& entry : entries) names.push_back(parts_of(entry.name));
  std::size_t depth = 0;
  std::set<std::string_view> folders = values_at(names, depth);
  while (folders.size() == 1 && !folders.begin()->empty() &&
         *values_at(names, depth + 1).rbegin() != std::string_view()) {
    folders = values_at(names, ++depth);
  }
  const bool uses = are_uses(folders);
  const std::size_t use_depth = depth;
  if (uses) folders = values_at(names, ++depth);
  if (folders.contains(std::string_view()) && folders.size() > 1) {
    const auto stray = std::find_if(names.begin(), names.end(),
                                    [&](const auto& parts) { return depth + 1 >= parts.size(); });
    fail_usage("{}: {} lies beside folders such as {}; expected a folder for each class", source,
               printable(entries[static_cast<std::size_t>(stray - names.begin())].name),
               printable(*folders.rbegin()));
  }
  const bool labelled = !folders.contains(std::string_view());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (uses) entries[i].use = row_use_of(names[i][use_depth]);
    if (labelled) entries[i].label = std::string(names[i][depth]);
  }
  std::string said = count_of(entries.size(), "image");
  said += labelled ? fmt::format(", {} by folder", count_of(folders.size(), "class", "classes"))
                   : ", no labels";
  return uses ? said + ", training and other rows by folder" : said;
}

}  // namespace lockstep
