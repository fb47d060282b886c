#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "store/database.h"
#include "store/rows.h"
#include "store/statement.h"
#include "store/store.h"

namespace crd::store {

// See table.h; written by PutReservations().
struct ReservationTable {
  using Row = ReservationRow;

  static const std::array<std::string_view, 1> kExact;
  static const std::string_view kPrefix;
  static const std::string_view kList;
  static const std::string_view kListState;
  // ?1 = checkpoint; ?1 = container.
  static const std::string_view kByCheckpoint;
  static const std::string_view kByContainer;

  static Row Read(Columns columns);
};

// Those that end first, so that their addresses can move on within one change. RESERVATION_CONFLICT
// if somebody else has what a live one claims. Prunes ended ones.
Result<void> PutReservations(Database& database, const std::vector<ReservationRow>& rows);

Result<std::vector<ReservationRow>> ReservationsWith(Database& database, std::string_view sql,
                                                     std::string_view key);
Result<std::vector<ReservationRow>> FindReservations(Database& database,
                                                     const Store::ReservationClaims& claims);
Result<std::vector<std::string>> ReservedAddresses(Database& database, std::string_view network);

}  // namespace crd::store
