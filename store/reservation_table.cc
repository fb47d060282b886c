#include "store/reservation_table.h"

#include <algorithm>

#include <fmt/ranges.h>

#include "store/table.h"

// A macro, for only literals can be joined at compile time.
#define SELECT_RESERVATION                                                                  \
  "SELECT id, network, state, keeping, interface, host_interface, mac, addresses, holder, " \
  "checkpoint_id, container_id, created_us, changed_us, expires_us, problem FROM reservations "

namespace crd::store {
namespace {

constexpr int kKeptEnded = 1000;

constexpr std::string_view kPut = R"sql(
INSERT INTO reservations (id, network, state, keeping, interface, host_interface, mac, addresses,
  holder, checkpoint_id, container_id, created_us, changed_us, expires_us, problem)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
ON CONFLICT (id) DO UPDATE SET
  network = excluded.network, state = excluded.state, keeping = excluded.keeping,
  interface = excluded.interface, host_interface = excluded.host_interface, mac = excluded.mac,
  addresses = excluded.addresses, holder = excluded.holder,
  checkpoint_id = excluded.checkpoint_id, container_id = excluded.container_id,
  created_us = excluded.created_us, changed_us = excluded.changed_us,
  expires_us = excluded.expires_us, problem = excluded.problem)sql";

constexpr std::string_view kDropAddresses =
    "DELETE FROM reservation_addresses WHERE reservation_id = ?1";
constexpr std::string_view kAddAddress =
    "INSERT INTO reservation_addresses (network, address, reservation_id) VALUES (?1, ?2, ?3)";

// The conditions of the partial indexes are repeated, or SQLite does not use them.
constexpr std::string_view kByMac = SELECT_RESERVATION
    "WHERE network = ?1 AND mac = ?2 AND mac <> '' AND state IN ('active', 'held')";
constexpr std::string_view kByHostInterface = SELECT_RESERVATION
    "WHERE host_interface = ?1 AND host_interface <> '' AND state IN ('active', 'held')";
constexpr std::string_view kByAddress = SELECT_RESERVATION
    "WHERE id = (SELECT reservation_id FROM reservation_addresses "
    "WHERE network = ?1 AND address = ?2)";

constexpr std::string_view kReserved =
    "SELECT address FROM reservation_addresses WHERE network = ?1";

constexpr std::string_view kPrune = R"sql(
DELETE FROM reservations WHERE state = 'released' AND (created_us, id) < (
  SELECT created_us, id FROM reservations WHERE state = 'released'
  ORDER BY created_us DESC, id DESC LIMIT 1 OFFSET ?1))sql";

bool IsLive(const ReservationRow& row) { return row.state == "active" || row.state == "held"; }

// No address holds a blank.
std::string Joined(const std::vector<std::string>& addresses) {
  return fmt::format("{}", fmt::join(addresses, " "));
}

std::vector<std::string> Split(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

Error Conflict(const ReservationRow& row) {
  return Error{
      .code = Code::kAlreadyExists,
      .reason = "RESERVATION_CONFLICT",
      .message = fmt::format("somebody else has taken {} {} {} in network '{}' meanwhile",
                             Joined(row.addresses), row.mac, row.host_interface, row.network),
      .hint = "`crctl network reservations` shows who; try again"};
}

Result<void> PutRow(Database& database, const ReservationRow& row) {
  Statement statement = TRY(database.Prepare(kPut));
  statement.BindAll(row.id, row.network, row.state, row.keeping, row.interface, row.host_interface,
                    row.mac, Joined(row.addresses), row.holder, row.checkpoint_id, row.container_id,
                    row.created_us, row.changed_us, row.expires_us, row.problem);
  return statement.Run();
}

Result<void> PutAddresses(Database& database, const ReservationRow& row) {
  {
    Statement drop = TRY(database.Prepare(kDropAddresses));
    drop.BindAll(row.id);
    TRY(drop.Run());
  }
  if (!IsLive(row)) return {};
  for (const std::string& address : row.addresses) {
    Statement add = TRY(database.Prepare(kAddAddress));
    add.BindAll(row.network, address, row.id);
    TRY(add.Run());
  }
  return {};
}

Result<void> PutReservation(Database& database, const ReservationRow& row) {
  Result<void> put = PutRow(database, row);
  if (put.ok()) put = PutAddresses(database, row);
  if (put.ok()) return put;
  if (put.error().code == Code::kAlreadyExists) return Conflict(row);
  return std::move(put).Annotate(fmt::format("store reservation '{}'", row.id));
}

}  // namespace

constexpr std::array<std::string_view, 1> ReservationTable::kExact = {SELECT_RESERVATION
                                                                      "WHERE id = ?1"};

constexpr std::string_view ReservationTable::kPrefix =
    SELECT_RESERVATION "WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3";

constexpr std::string_view ReservationTable::kList = SELECT_RESERVATION R"sql(
WHERE (created_us, id) < (?1, ?2)
ORDER BY created_us DESC, id DESC LIMIT ?3)sql";

constexpr std::string_view ReservationTable::kListState = SELECT_RESERVATION R"sql(
WHERE state = ?4 AND (created_us, id) < (?1, ?2)
ORDER BY created_us DESC, id DESC LIMIT ?3)sql";

constexpr std::string_view ReservationTable::kByCheckpoint =
    SELECT_RESERVATION "WHERE checkpoint_id = ?1 AND checkpoint_id <> '' ORDER BY created_us, id";

constexpr std::string_view ReservationTable::kByContainer =
    SELECT_RESERVATION "WHERE container_id = ?1 AND container_id <> '' ORDER BY created_us, id";

ReservationRow ReservationTable::Read(Columns columns) {
  return ReservationRow{.id = columns.Text(),
                        .network = columns.Text(),
                        .state = columns.Text(),
                        .keeping = columns.Text(),
                        .interface = columns.Text(),
                        .host_interface = columns.Text(),
                        .mac = columns.Text(),
                        .addresses = Split(columns.Text()),
                        .holder = columns.Text(),
                        .checkpoint_id = columns.Text(),
                        .container_id = columns.Text(),
                        .created_us = columns.Integer(),
                        .changed_us = columns.Integer(),
                        .expires_us = columns.Integer(),
                        .problem = columns.Text()};
}

Result<void> PutReservations(Database& database, const std::vector<ReservationRow>& rows) {
  bool ended = false;
  for (const ReservationRow& row : rows) {
    if (IsLive(row)) continue;
    TRY(PutReservation(database, row));
    ended = true;
  }
  for (const ReservationRow& row : rows) {
    if (IsLive(row)) TRY(PutReservation(database, row));
  }
  if (!ended) return {};
  Statement prune = TRY(database.Prepare(kPrune));
  prune.BindAll(kKeptEnded);
  return prune.Run().Annotate("prune old reservations");
}

Result<std::vector<ReservationRow>> ReservationsWith(Database& database, std::string_view sql,
                                                     std::string_view key) {
  Statement statement = TRY(database.Prepare(sql));
  statement.BindAll(key);
  return ReadRows<ReservationTable>(statement);
}

Result<std::vector<ReservationRow>> FindReservations(Database& database,
                                                     const Store::ReservationClaims& claims) {
  std::vector<ReservationRow> found;
  const auto take = [&found](std::vector<ReservationRow> rows) {
    for (ReservationRow& row : rows) {
      const auto same = [&row](const ReservationRow& other) { return other.id == row.id; };
      if (std::none_of(found.begin(), found.end(), same)) found.push_back(std::move(row));
    }
  };
  for (const std::string& address : claims.addresses) {
    Statement statement = TRY(database.Prepare(kByAddress));
    statement.BindAll(claims.network, address);
    take(TRY(ReadRows<ReservationTable>(statement)));
  }
  Statement by_mac = TRY(database.Prepare(kByMac));
  by_mac.BindAll(claims.network, claims.mac);
  take(TRY(ReadRows<ReservationTable>(by_mac)));
  take(TRY(ReservationsWith(database, kByHostInterface, claims.host_interface)));
  return found;
}

Result<std::vector<std::string>> ReservedAddresses(Database& database, std::string_view network) {
  Statement statement = TRY(database.Prepare(kReserved));
  statement.BindAll(network);
  std::vector<std::string> addresses;
  while (TRY(statement.Step())) addresses.push_back(statement.Text(0));
  return addresses;
}

}  // namespace crd::store
