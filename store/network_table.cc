#include "store/network_table.h"

#include "store/table.h"

// As for reservations.
#define SELECT_NETWORK "SELECT name, bridge, subnets, origin, created_us FROM networks "

namespace crd::store {
namespace {

constexpr std::string_view kPut = R"sql(
INSERT INTO networks (name, bridge, subnets, origin, created_us) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (name) DO UPDATE SET
  bridge = excluded.bridge, subnets = excluded.subnets, origin = excluded.origin,
  created_us = excluded.created_us)sql";
constexpr std::string_view kDelete = "DELETE FROM networks WHERE name = ?1";
constexpr std::string_view kGet = SELECT_NETWORK "WHERE name = ?1";
constexpr std::string_view kAll = SELECT_NETWORK "ORDER BY name";

struct NetworkTable {
  using Row = NetworkRow;
  static Row Read(Columns columns) {
    return {.name = columns.Text(),
            .bridge = columns.Text(),
            .subnets = columns.Text(),
            .origin = columns.Text(),
            .created_us = columns.Integer()};
  }
};

}  // namespace

Result<void> PutNetwork(Database& database, const NetworkRow& row) {
  Statement statement = TRY(database.Prepare(kPut));
  statement.BindAll(row.name, row.bridge, row.subnets, row.origin, row.created_us);
  Result<void> put = statement.Run();
  if (put.ok() || put.error().code != Code::kAlreadyExists)
    return std::move(put).Annotate(fmt::format("store network '{}'", row.name));
  return Error{.code = Code::kAlreadyExists,
               .reason = "NETWORK_EXISTS",
               .message = fmt::format("bridge '{}' belongs to another network", row.bridge),
               .hint = "`crctl network ls` shows what there is"};
}

Result<void> DeleteNetwork(Database& database, std::string_view name) {
  Statement statement = TRY(database.Prepare(kDelete));
  statement.BindAll(name);
  return statement.Run().Annotate(fmt::format("delete network '{}'", name));
}

Result<std::optional<NetworkRow>> GetNetwork(Database& database, std::string_view name) {
  return Find<NetworkTable>(database, kGet, name);
}

Result<std::vector<NetworkRow>> AllNetworks(Database& database) {
  Statement statement = TRY(database.Prepare(kAll));
  return ReadRows<NetworkTable>(statement);
}

}  // namespace crd::store
