#include "client/table.h"

#include <algorithm>
#include <cassert>

#include "client/printable.h"

namespace crd::client {
namespace {

constexpr std::string_view kGap = "  ";

std::string Pad(std::string_view text, std::size_t width, Table::Align align) {
  const std::string fill(width - Width(text), ' ');
  return align == Table::Align::kRight ? fill + std::string(text) : std::string(text) + fill;
}

}  // namespace

void Table::Add(std::vector<std::string> cells) {
  assert(cells.size() == columns_.size());
  for (std::string& cell : cells) cell = cell.empty() ? "-" : Printable(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::Render() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = Width(columns_[i].heading);
    for (const auto& row : rows_) width = std::max(width, Width(row[i]));
    widths.push_back(width);
  }
  std::string text;
  const auto line = [&](auto cell) {
    std::string row;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (i != 0) row += kGap;
      row += Pad(cell(i), widths[i], columns_[i].align);
    }
    row.erase(row.find_last_not_of(' ') + 1);
    text += row + "\n";
  };
  line([&](std::size_t i) -> const std::string& { return columns_[i].heading; });
  for (const auto& row : rows_) line([&](std::size_t i) -> const std::string& { return row[i]; });
  return text;
}

void Details::Add(std::string name, std::string_view value) {
  if (value.empty()) return;
  lines_.emplace_back(std::move(name), Printable(value));
}

void Details::Add(const std::string& name, const std::vector<std::string>& values) {
  for (const std::string& value : values) {
    lines_.emplace_back(&value == &values.front() ? name : std::string(), Printable(value));
  }
}

std::string Details::Render() const {
  std::size_t width = 0;
  for (const auto& [name, value] : lines_) width = std::max(width, Width(name));
  std::string text;
  for (const auto& [name, value] : lines_) {
    const std::string label = name.empty() ? name : name + ":";
    text += Pad(label, width + 1, Table::Align::kLeft);
    text += kGap;
    text += value + "\n";
  }
  return text;
}

}  // namespace crd::client
