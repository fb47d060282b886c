#include "store/network_table.h"

namespace crd::store {
namespace {

constexpr std::string_view kPut = R"sql(
INSERT INTO networks (name, bridge, subnets, origin, created_us) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (name) DO UPDATE SET
  bridge = excluded.bridge, subnets = excluded.subnets, origin = excluded.origin,
  created_us = excluded.created_us)sql";
constexpr std::string_view kDelete = "DELETE FROM networks WHERE name = ?1";
constexpr std::string_view kAll =
    "SELECT name, bridge, subnets, origin, created_us FROM networks ORDER BY name";

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

Result<std::vector<NetworkRow>> AllNetworks(Database& database) {
  Statement statement = TRY(database.Prepare(kAll));
  std::vector<NetworkRow> rows;
  while (TRY(statement.Step())) {
    Columns columns(statement);
    rows.push_back({.name = columns.Text(),
                    .bridge = columns.Text(),
                    .subnets = columns.Text(),
                    .origin = columns.Text(),
                    .created_us = columns.Integer()});
  }
  return rows;
}

}  // namespace crd::store
