#pragma once

#include <array>
#include <string>
#include <string_view>

#include "store/rows.h"
#include "store/statement.h"

namespace crd::store {

// See table.h.
struct CheckpointTable {
  using Row = CheckpointRow;
  static constexpr std::string_view kSubject = "checkpoint";
  static constexpr std::string_view kKeyWord = "name";
  static constexpr const char* kTakenReason = "NAME_TAKEN";
  static const std::string& UniqueKey(const Row& row) { return row.name; }

  static const std::string_view kPut;
  static const std::string_view kDelete;
  static const std::string_view kGet;
  static const std::string_view kHolder;
  // By id; by a name that is held; the newest that had the name and lost it.
  static const std::array<std::string_view, 3> kExact;
  static const std::string_view kPrefix;
  static const std::string_view kList;
  static const std::string_view kListState;
  static const std::string_view kCount;
  static const std::string_view kCountState;

  static void Bind(Statement& statement, const Row& row);
  static Row Read(Columns columns);
};

}  // namespace crd::store
