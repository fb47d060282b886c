#include "store/operation_table.h"

// A macro, for only literals can be joined at compile time.
#define SELECT_OPERATION                                                              \
  "SELECT id, request_id, request, kind, state, checkpoint_id, container_id, stage, " \
  "created_us, ended_us, error FROM operations "

namespace crd::store {

constexpr std::string_view OperationTable::kPut = R"sql(
INSERT INTO operations (id, request_id, request, kind, state, checkpoint_id, container_id, stage,
  created_us, ended_us, error)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
ON CONFLICT (id) DO UPDATE SET
  request_id = excluded.request_id, request = excluded.request, kind = excluded.kind,
  state = excluded.state, checkpoint_id = excluded.checkpoint_id,
  container_id = excluded.container_id, stage = excluded.stage, created_us = excluded.created_us,
  ended_us = excluded.ended_us, error = excluded.error)sql";

constexpr std::string_view OperationTable::kGet = SELECT_OPERATION "WHERE id = ?1";

// The condition of the partial index is repeated, or SQLite does not use it.
constexpr std::string_view OperationTable::kHolder =
    "SELECT id FROM operations WHERE request_id = ?1 AND request_id <> ''";

constexpr std::array<std::string_view, 1> OperationTable::kExact = {kGet};

constexpr std::string_view OperationTable::kPrefix =
    SELECT_OPERATION "WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3";

constexpr std::string_view OperationTable::kList =
    SELECT_OPERATION "WHERE (created_us, id) < (?1, ?2) ORDER BY created_us DESC, id DESC LIMIT ?3";

constexpr std::string_view OperationTable::kListState = SELECT_OPERATION R"sql(
WHERE state = ?4 AND (created_us, id) < (?1, ?2)
ORDER BY created_us DESC, id DESC LIMIT ?3)sql";

constexpr std::string_view OperationTable::kByRequest =
    SELECT_OPERATION "WHERE request_id = ?1 AND request_id <> ''";

constexpr std::string_view OperationTable::kPrune = R"sql(
DELETE FROM operations
WHERE ended_us > 0 AND (created_us, id) <= (
  SELECT created_us, id FROM operations WHERE ended_us > 0
  ORDER BY created_us DESC, id DESC LIMIT 1 OFFSET ?1))sql";

void OperationTable::Bind(Statement& statement, const Row& row) {
  statement.BindAll(row.id, row.request_id, row.request, row.kind, row.state, row.checkpoint_id,
                    row.container_id, row.stage, row.created_us, row.ended_us, row.error);
}

OperationRow OperationTable::Read(Columns columns) {
  return OperationRow{.id = columns.Text(),
                      .request_id = columns.Text(),
                      .request = columns.Text(),
                      .kind = columns.Text(),
                      .state = columns.Text(),
                      .checkpoint_id = columns.Text(),
                      .container_id = columns.Text(),
                      .stage = columns.Text(),
                      .created_us = columns.Integer(),
                      .ended_us = columns.Integer(),
                      .error = columns.Text()};
}

}  // namespace crd::store
