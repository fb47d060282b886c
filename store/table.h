#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/result.h"
#include "store/database.h"
#include "store/rows.h"

namespace crd::store {

// What checkpoints, containers and operations have in common. A `Table` names its Row, says how to
// bind and read one, and holds the statements:
//   kPut      all columns in order                   insert or replace by id
//   kGet      ?1 = id
//   kDelete   ?1 = id                                (where rows can be deleted)
//   kHolder   ?1 = unique key                        id of the row that has it
//   kExact    ?1 = id or name                        one row; the first of them that finds one
//   counts kPrefix   ?1 <= id, id < ?2, ?3 = limit kList     behind ?1 = time and ?2 = id, ?3 =
//   limit, states from ?4 on (unbound: any) kCount    states from ?1 on (unbound: any)

// The first text behind all that begin with `prefix`, in the order of bytes; none if there is no
// such text. A range of ids uses the index, and nothing in a prefix has to be escaped.
std::optional<std::string> UpperBound(std::string_view prefix);

// Binds to the eight parameters from `first` on.
Result<void> BindStates(Statement& statement, int first, const std::vector<std::string>& states);

template <typename Table>
Result<std::vector<typename Table::Row>> ReadRows(Statement& statement) {
  std::vector<typename Table::Row> rows;
  while (TRY(statement.Step())) rows.push_back(Table::Read(Columns(statement)));
  return rows;
}

template <typename Table>
Result<std::optional<typename Table::Row>> Find(Database& database, std::string_view sql,
                                                std::string_view key) {
  Statement statement = TRY(database.Prepare(sql));
  statement.BindAll(key);
  if (!TRY(statement.Step())) return std::optional<typename Table::Row>();
  return std::optional(Table::Read(Columns(statement)));
}

template <typename Table>
Result<std::vector<typename Table::Row>> Match(Database& database, std::string_view key,
                                               int limit) {
  using Rows = std::vector<typename Table::Row>;
  if (key.empty()) return Rows();
  for (const std::string_view sql : Table::kExact) {
    std::optional<typename Table::Row> row = TRY(Find<Table>(database, sql, key));
    if (row.has_value()) return Rows{*std::move(row)};
  }
  const std::optional<std::string> end = UpperBound(key);
  if (!end.has_value()) return Rows();  // no id begins so: they are hexadecimal
  Statement statement = TRY(database.Prepare(Table::kPrefix));
  statement.BindAll(key, *end, limit);
  return ReadRows<Table>(statement);
}

template <typename Table>
Result<std::vector<typename Table::Row>> List(Database& database, const Cursor& after, int limit,
                                              const std::vector<std::string>& states) {
  Statement statement = TRY(database.Prepare(Table::kList));
  // To SQLite, a negative limit is none.
  statement.BindAll(after.created_us, after.id, limit < 0 ? 0 : limit);
  TRY(BindStates(statement, 4, states));
  return ReadRows<Table>(statement);
}

template <typename Table>
Result<std::int64_t> Count(Database& database, const std::vector<std::string>& states) {
  Statement statement = TRY(database.Prepare(Table::kCount));
  TRY(BindStates(statement, 1, states));
  TRY(statement.Step());
  return statement.Integer(0);
}

// The refusal of a row whose unique key another row has.
template <typename Table>
Result<Error> Taken(Database& database, const typename Table::Row& row) {
  const std::string& key = Table::UniqueKey(row);
  Statement statement = TRY(database.Prepare(Table::kHolder));
  statement.BindAll(key);
  const std::string holder = TRY(statement.Step()) ? statement.Text(0) : "?";
  return Error{.code = Code::kAlreadyExists,
               .reason = Table::kTakenReason,
               .message = fmt::format("{} '{}' is taken by {} '{}'", Table::kKeyWord, key,
                                      Table::kSubject, holder),
               .hint = fmt::format("choose another {}", Table::kKeyWord)};
}

template <typename Table>
Result<void> Put(Database& database, const typename Table::Row& row) {
  Statement statement = TRY(database.Prepare(Table::kPut));
  Table::Bind(statement, row);
  Result<void> put = statement.Run();
  if (put.ok()) return put;
  if (put.error().code == Code::kAlreadyExists) return TRY(Taken<Table>(database, row));
  return std::move(put).Annotate(fmt::format("store {} '{}'", Table::kSubject, row.id));
}

template <typename Table>
Result<void> Delete(Database& database, std::string_view id) {
  Statement statement = TRY(database.Prepare(Table::kDelete));
  statement.BindAll(id);
  return statement.Run().Annotate(fmt::format("delete {} '{}'", Table::kSubject, id));
}

}  // namespace crd::store
