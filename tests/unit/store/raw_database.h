#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sqlite3.h>

namespace crd::testing {

// SQLite without any of our code: to look at a closed database, or to prepare one. Returns the
// first column of all rows.
inline std::vector<std::string> RunSql(const std::string& path, const std::string& sql) {
  sqlite3* connection = nullptr;
  EXPECT_EQ(sqlite3_open(path.c_str(), &connection), SQLITE_OK);
  std::vector<std::string> answers;
  const auto collect = [](void* into, int, char** values, char**) {
    static_cast<std::vector<std::string>*>(into)->emplace_back(values[0] == nullptr ? "NULL"
                                                                                    : values[0]);
    return 0;
  };
  const int result = sqlite3_exec(connection, sql.c_str(), collect, &answers, nullptr);
  EXPECT_EQ(result, SQLITE_OK) << sqlite3_errmsg(connection) << " in " << sql;
  sqlite3_close(connection);
  return answers;
}

}  // namespace crd::testing
