#include "store/event_table.h"

#include <string_view>

namespace crd::store {
namespace {

constexpr std::string_view kAppend = R"sql(
INSERT INTO events (time_us, subject, id, change, detail)
VALUES (?1, ?2, ?3, ?4, ?5) RETURNING sequence)sql";

// The numbers have no gaps: one is given by a transaction or not at all.
constexpr std::string_view kPrune =
    "DELETE FROM events WHERE sequence <= (SELECT max(sequence) FROM events) - ?1";

constexpr std::string_view kBehind = R"sql(
SELECT sequence, time_us, subject, id, change, detail FROM events
WHERE sequence > ?1 ORDER BY sequence LIMIT ?2)sql";

constexpr std::string_view kNewest = "SELECT coalesce(max(sequence), 0) FROM events";

Result<std::int64_t> Append(Database& database, const EventRow& event) {
  Statement statement = TRY(database.Prepare(kAppend));
  statement.BindAll(event.time_us, event.subject, event.id, event.change, event.detail);
  TRY(statement.Step());
  const std::int64_t sequence = statement.Integer(0);
  TRY(statement.Run());
  return sequence;
}

}  // namespace

Result<std::vector<EventRow>> AppendEvents(Database& database, std::vector<EventRow> events) {
  for (EventRow& event : events) {
    event.sequence = TRY(Append(database, event).Annotate("append an event"));
  }
  return events;
}

Result<void> PruneEvents(Database& database, std::int64_t keep) {
  Statement statement = TRY(database.Prepare(kPrune));
  statement.BindAll(keep);
  return statement.Run().Annotate("prune old events");
}

Result<std::vector<EventRow>> EventsBehind(Database& database, std::int64_t sequence, int limit) {
  Statement statement = TRY(database.Prepare(kBehind));
  statement.BindAll(sequence, limit < 0 ? 0 : limit);
  std::vector<EventRow> events;
  while (TRY(statement.Step())) {
    Columns columns(statement);
    events.push_back(EventRow{.sequence = columns.Integer(),
                              .time_us = columns.Integer(),
                              .subject = columns.Text(),
                              .id = columns.Text(),
                              .change = columns.Text(),
                              .detail = columns.Text()});
  }
  return events;
}

Result<std::int64_t> NewestEvent(Database& database) {
  Statement statement = TRY(database.Prepare(kNewest));
  TRY(statement.Step());
  return statement.Integer(0);
}

}  // namespace crd::store
