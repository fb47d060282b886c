#pragma once

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "daemon/base/result.h"
#include "store/database.h"
#include "store/rows.h"

namespace crd::store {

// What checkpoints, containers and operations have in common. A `Table` names its Row, says how to
// bind and read one, and holds the statements:
//   kPut: all columns in order; inserts or replaces by id
//   kGet, kDelete: ?1 = id
//   kHolder: ?1 = unique key; the id of the row that has it
//   kExact: ?1 = id or name; the first of them that finds a row counts
//   kPrefix: ?1 <= id < ?2; ?3 = limit
//   kList: behind ?1 = time and ?2 = id; ?3 = limit
//   kListState: the same; ?4 = state
//   kCount: all; kCountState: ?1 = state

// The first text behind all that begin with `prefix`, in the order of bytes; none if there is no
// such text. A range of ids uses the index, and nothing in a prefix has to be escaped.
std::optional<std::string> UpperBound(std::string_view prefix);

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

// One page of each state by its own stretch of the index, merged: a rare state costs no walk over
// the others.
template <typename Table>
Result<std::vector<typename Table::Row>> ListStates(Database& database, const Cursor& after,
                                                    int limit,
                                                    const std::set<std::string_view>& states) {
  std::vector<typename Table::Row> merged;
  for (const std::string_view state : states) {
    Statement statement = TRY(database.Prepare(Table::kListState));
    statement.BindAll(after.created_us, after.id, limit, state);
    std::vector<typename Table::Row> rows = TRY(ReadRows<Table>(statement));
    std::move(rows.begin(), rows.end(), std::back_inserter(merged));
  }
  std::sort(merged.begin(), merged.end(), [](const auto& left, const auto& right) {
    return std::tie(left.created_us, left.id) > std::tie(right.created_us, right.id);
  });
  const auto page = std::min(merged.size(), static_cast<std::size_t>(limit));
  merged.erase(merged.begin() + static_cast<std::ptrdiff_t>(page), merged.end());
  return merged;
}

template <typename Table>
Result<std::vector<typename Table::Row>> List(Database& database, const Cursor& after, int limit,
                                              const std::vector<std::string>& states) {
  // To SQLite, a negative limit is none.
  const int at_most = std::max(limit, 0);
  if (!states.empty()) {
    return ListStates<Table>(database, after, at_most, {states.begin(), states.end()});
  }
  Statement statement = TRY(database.Prepare(Table::kList));
  statement.BindAll(after.created_us, after.id, at_most);
  return ReadRows<Table>(statement);
}

template <typename Table>
Result<std::int64_t> Count(Database& database, const std::vector<std::string>& states) {
  if (states.empty()) {
    Statement statement = TRY(database.Prepare(Table::kCount));
    TRY(statement.Step());
    return statement.Integer(0);
  }
  std::int64_t count = 0;
  for (const std::string_view state : std::set<std::string_view>(states.begin(), states.end())) {
    Statement statement = TRY(database.Prepare(Table::kCountState));
    statement.BindAll(state);
    TRY(statement.Step());
    count += statement.Integer(0);
  }
  return count;
}

// Refuses a row whose unique key another row has.
template <typename Table>
Result<void> RefuseTaken(Database& database, const typename Table::Row& row) {
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
  if (put.error().code == Code::kAlreadyExists) return RefuseTaken<Table>(database, row);
  return std::move(put).Annotate(fmt::format("store {} '{}'", Table::kSubject, row.id));
}

template <typename Table>
Result<void> Delete(Database& database, std::string_view id) {
  Statement statement = TRY(database.Prepare(Table::kDelete));
  statement.BindAll(id);
  return statement.Run().Annotate(fmt::format("delete {} '{}'", Table::kSubject, id));
}

}  // namespace crd::store
