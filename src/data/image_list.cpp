#include "data/image_list.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "data/csv_columns.h"
#include "data/csv_sample.h"
#include "data/csv_text.h"
#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "lockstep/core/text.h"
#include "lockstep/pictures/decode_image.h"

namespace lockstep {

namespace {

// What the columns are for; below 0 there is none.
struct ListColumns {
  int file = -1;
  int label = -1;
  int use = -1;
  std::array<int, 4> crop = {-1, -1, -1, -1};  // left, top, right, bottom; the last inside
};

// The column most of whose fields end as image files do.
int file_column(const CsvSample& sample) {
  for (int column = 0; column < sample.width; ++column) {
    const auto fields = sample.column(column);
    const auto images = std::count_if(fields.begin(), fields.end(),
                                      [](std::string_view field) { return has_image_name(field); });
    if (images > 0 && 2 * images > std::ssize(fields)) return column;
  }
  return -1;
}

std::vector<std::string> fields_of(std::string_view line, char separator) {
  std::vector<std::string_view> fields;
  split_csv_line(line, separator, fields);
  std::vector<std::string> texts;
  for (const std::string_view field : fields) texts.push_back(field_text(without_blanks(field)));
  return texts;
}

class ListReader {
 public:
  ListReader(std::string_view text, const std::string& name, const std::string& folder)
      : content_(csv_content(text, name)),
        name_(name),
        folder_(folder),
        sample_(sample_csv(content_, name, "", Extent::kUsual)) {}

  ImageList read() {
    find_columns();
    ImageList list;
    std::size_t at = 0;
    for (std::int64_t line = 1; at < content_.last; ++line) {
      const std::string_view text = csv_line_at(content_.text.substr(0, content_.last), at);
      if (line > 1 || !has_header_) list.entries.push_back(entry_of(text, line));
      at = content_.text.find('\n', at + text.size());
      at = at == std::string_view::npos ? content_.last : at + 1;
    }
    if (list.entries.empty()) fail_usage("{}: names no files", name_);
    list.found = fmt::format("{} by a list{}", count_of(list.entries.size(), "image"),
                             columns_.label < 0 ? ", no labels" : "");
    if (columns_.label >= 0 && has_header_) {
      list.found += fmt::format("; label: column \"{}\"", header_[index(columns_.label)]);
    }
    if (columns_.crop[0] >= 0) list.found += "; each cropped as it says";
    return list;
  }

 private:
  static std::size_t index(int column) { return static_cast<std::size_t>(column); }

  void find_columns() {
    const int named = file_column(sample_);
    columns_.file = std::max(named, 0);
    header_ = fields_of(sample_.first, sample_.separator);
    const bool names_endings = named >= 0;
    has_header_ = names_endings ? index(columns_.file) >= header_.size() ||
                                      !has_image_name(header_[index(columns_.file)])
                                : !exists_below(header_[0]);
    if (!has_header_) header_.assign(index(sample_.width), "");
    if (std::ssize(header_) != sample_.width) {
      fail_usage("{}:1:1: {}; expected {}, as in the lines below", name_,
                 count_of(header_.size(), "name"), sample_.width);
    }
    constexpr std::array<std::string_view, 4> kCrop = {"roi.x1", "roi.y1", "roi.x2", "roi.y2"};
    std::vector<int> open;
    for (int column = 0; column < sample_.width; ++column) {
      const std::string name = lower_case(header_[index(column)]);
      const auto crop = std::find(kCrop.begin(), kCrop.end(), name);
      if (column == columns_.file) continue;
      if (crop != kCrop.end()) {
        columns_.crop[index(static_cast<int>(crop - kCrop.begin()))] = column;
      } else if (columns_.label < 0 && is_label_name(name)) {
        columns_.label = column;
      } else if (columns_.use < 0 && says_uses(column)) {
        columns_.use = column;
      } else {
        open.push_back(column);
      }
    }
    if (std::count(columns_.crop.begin(), columns_.crop.end(), -1) > 0) columns_.crop.fill(-1);
    if (columns_.label >= 0 || open.empty()) return;
    if (open.size() > 1) {
      fail_usage("{}:1:1: {} beside that of the files; expected one named \"label\"", name_,
                 count_of(open.size(), "column"));
    }
    columns_.label = open.front();
  }

  bool says_uses(int column) const {
    const auto fields = sample_.column(column);
    return !fields.empty() && std::all_of(fields.begin(), fields.end(), [](std::string_view field) {
      return row_use_of(field).has_value();
    });
  }

  // No where it cannot be looked for, as a name that is too long.
  bool is_file_below(const std::string& name) const {
    std::error_code error;
    return fs::is_regular_file(fs::path(folder_) / name, error);
  }

  bool exists_below(const std::string& name) {
    return is_file_below(name) || !ending_of(name).empty();
  }

  // The whole name of the image file that has `name` without its ending; empty if there is none.
  std::string ending_of(const std::string& name) {
    const fs::path whole = fs::path(folder_) / name;
    const auto [listed, is_new] = endings_.try_emplace(whole.parent_path().string());
    std::error_code none;
    if (is_new) {
      for (const auto& entry : fs::directory_iterator(whole.parent_path(), none)) {
        const std::string file = entry.path().filename().string();
        if (has_image_name(file)) listed->second.emplace(entry.path().stem().string(), file);
      }
    }
    const auto found = listed->second.find(whole.filename().string());
    if (found == listed->second.end()) return {};
    return (fs::path(name).parent_path() / found->second).string();
  }

  ImageEntry entry_of(std::string_view line, std::int64_t number) {
    const std::vector<std::string> fields = fields_of(line, sample_.separator);
    if (fields.size() != index(sample_.width)) {
      fail_usage("{}:{}:1: {}; expected {}", name_, number, count_of(fields.size(), "field"),
                 sample_.width);
    }
    ImageEntry entry;
    entry.name = fields[index(columns_.file)];
    if (!has_image_name(entry.name)) {
      const std::string whole = ending_of(entry.name);
      if (!whole.empty()) entry.name = whole;
    }
    if (!is_file_below(entry.name)) {
      fail_usage("{}:{}:1: there is no file {} in {}", name_, number, shown_field(entry.name),
                 folder_.empty() ? "." : folder_);
    }
    if (columns_.label >= 0) {
      entry.label = fields[index(columns_.label)];
      if (entry.label->empty()) fail_usage("{}:{}:1: no label; expected one", name_, number);
    }
    if (columns_.use >= 0) {
      entry.use = row_use_of(fields[index(columns_.use)]);
      if (!entry.use) {
        fail_usage("{}:{}:1: {} says not what a row is for; expected training, validation or test",
                   name_, number, shown_field(fields[index(columns_.use)]));
      }
    }
    if (columns_.crop[0] >= 0) entry.crop = crop_of(fields, number);
    return entry;
  }

  PictureCrop crop_of(const std::vector<std::string>& fields, std::int64_t number) const {
    std::array<int, 4> sides{};
    for (std::size_t i = 0; i < sides.size(); ++i) {
      const auto value = whole_number_of(fields[index(columns_.crop[i])]);
      if (!value || *value < 0) {
        fail_usage("{}:{}:1: {} is no column or row of a crop", name_, number,
                   shown_field(fields[index(columns_.crop[i])]));
      }
      sides[i] = *value;
    }
    return {sides[0], sides[1], sides[2] + 1, sides[3] + 1};
  }

  CsvContent content_;
  const std::string& name_;
  const std::string& folder_;
  CsvSample sample_;
  ListColumns columns_;
  bool has_header_ = true;
  std::vector<std::string> header_;
  std::map<std::string, std::map<std::string, std::string>> endings_;  // by folder, by stem
};

}  // namespace

bool is_image_list(std::string_view text, const std::string& name) {
  try {
    const CsvContent content = csv_content(text, name);
    return file_column(sample_csv(content, name, "", Extent::kBeginning)) >= 0;
  } catch (const Error&) {
    return false;  // CSV's reader says what is wrong
  }
}

ImageList read_image_list(std::string_view text, const std::string& name,
                          const std::string& folder) {
  return ListReader(text, name, folder).read();
}

}  // namespace lockstep
