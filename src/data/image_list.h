// A CSV file that names image files, one a line, with what is said of each. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "data/image_files.h"

namespace lockstep {

struct ImageList {
  std::vector<ImageEntry> entries;
  std::string found;  // in words
};

// Whether one column of a text names image files.
bool is_image_list(std::string_view text, const std::string& name);

// The files that `text` names, below `folder`; a name without an ending is that of the one image
// file which begins so. Columns of a header may say label, use and crop. Error (2): FILE:LINE:
// what is wrong with a line; a label's column that cannot be told.
ImageList read_image_list(std::string_view text, const std::string& name,
                          const std::string& folder);

}  // namespace lockstep
