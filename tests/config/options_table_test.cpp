// The documentation's table of options is the one that the program prints.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "lockstep/config/experiment.h"
#include "lockstep/core/files.h"

namespace lockstep {
namespace {

// The table that begins as `table` does; empty where a page has none.
std::string table_in(const std::string& page, const std::string& table) {
  const std::size_t first = page.find(table.substr(0, table.find('\n')));
  if (first == std::string::npos) return {};
  const std::size_t end = page.find("\n\n", first);
  return page.substr(first, end + 1 - first);
}

TEST(OptionsTableTest, StandsInTheDocumentation) {
  const std::string table = options_table();
  const char* page = "configs/README.md";
  const std::string found =
      table_in(read_file(std::filesystem::path(LOCKSTEP_SOURCE_DIR) / page), table);
  EXPECT_EQ(found, table) << page << ": build/lockstep --options-table prints it";
}

}  // namespace
}  // namespace lockstep
