#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace crd::client {

// Rows under headings, each column as wide as its widest cell. Cells are made printable; an empty
// one shows as "-".
class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string heading;
    Align align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // As many cells as there are columns.
  void Add(std::vector<std::string> cells);
  [[nodiscard]] std::string Render() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// "name:  value" lines about one object, values one under the other.
class Details {
 public:
  // Leaves the line out when there is no value.
  void Add(std::string name, std::string_view value);
  // A value that is a list, one line each.
  void Add(const std::string& name, const std::vector<std::string>& values);
  [[nodiscard]] std::string Render() const;

 private:
  std::vector<std::pair<std::string, std::string>> lines_;
};

}  // namespace crd::client
