#pragma once

#include <array>
#include <string>
#include <string_view>

#include "store/rows.h"
#include "store/statement.h"

namespace crd::store {

// See table.h.
struct OperationTable {
  using Row = OperationRow;
  static constexpr std::string_view kSubject = "operation";
  static constexpr std::string_view kKeyWord = "request id";
  static constexpr const char* kTakenReason = "REQUEST_ID_TAKEN";
  static const std::string& UniqueKey(const Row& row) { return row.request_id; }

  static const std::string_view kPut;
  static const std::string_view kGet;
  static const std::string_view kHolder;
  static const std::array<std::string_view, 1> kExact;
  static const std::string_view kPrefix;
  static const std::string_view kList;
  static const std::string_view kListState;
  // ?1 = request id.
  static const std::string_view kByRequest;
  // ?1 = how many of the newest ended ones stay.
  static const std::string_view kPrune;

  static void Bind(Statement& statement, const Row& row);
  static Row Read(Columns columns);
};

}  // namespace crd::store
