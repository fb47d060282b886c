#pragma once

#include <array>
#include <string>
#include <string_view>

#include "store/rows.h"
#include "store/statement.h"

namespace crd::store {

// See table.h.
struct ContainerTable {
  using Row = ContainerRow;
  static constexpr std::string_view kSubject = "container";
  static constexpr std::string_view kKeyWord = "name";
  static constexpr const char* kTakenReason = "NAME_TAKEN";
  static const std::string& UniqueKey(const Row& row) { return row.name; }

  static const std::string_view kPut;
  static const std::string_view kDelete;
  static const std::string_view kGet;
  static const std::string_view kHolder;
  // By id; by name.
  static const std::array<std::string_view, 2> kExact;
  static const std::string_view kPrefix;
  static const std::string_view kList;
  static const std::string_view kListState;
  static const std::string_view kCount;
  static const std::string_view kCountState;
  // ?1 = checkpoint: ids of containers that were restored from it.
  static const std::string_view kRestores;

  static void Bind(Statement& statement, const Row& row);
  static Row Read(Columns columns);
};

}  // namespace crd::store
