#include "daemon/rpc/operation_views.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <utility>

#include "daemon/core/errors.h"

namespace crd::rpc {
namespace {

// Where something stands in a list: greater is newer, and comes first.
using Position = std::pair<WallMicros, std::string>;

Position PositionOf(const OperationRecord& record) { return {record.created_us, record.id.str()}; }

// The inventory's page tokens are "<created_us>:<id>" of the last record before; it has refused
// those that are not.
Position ParseToken(std::string_view token) {
  if (token.empty()) return {std::numeric_limits<WallMicros>::max(), ""};
  const std::size_t colon = token.find(':');
  Position position;
  std::from_chars(token.data(), token.data() + colon, position.first);
  position.second = token.substr(colon + 1);
  return position;
}

std::string TokenOf(const OperationRecord& last) {
  return fmt::format("{}:{}", last.created_us, last.id);
}

bool Runs(const OperationRecord& record) { return record.state == OperationState::kRunning; }

OperationView View(const Operation& operation) {
  OperationView view{.record = operation.record(), .progress = operation.progress()};
  if (!Runs(view.record)) view.progress.reset();
  return view;
}

std::vector<OperationView> Running(const Engine& engine) {
  std::vector<OperationView> running;
  for (const auto& operation : engine.live()) {
    OperationView view = View(*operation);
    if (Runs(view.record)) running.push_back(std::move(view));
  }
  return running;
}

}  // namespace

Page<OperationView> MergeRunning(Page<OperationRecord> rows, const std::vector<OperationView>& live,
                                 std::string_view token, int limit) {
  const Position begin = ParseToken(token);
  const bool last_page = rows.next_token.empty();
  const Position end = last_page ? Position() : PositionOf(rows.records.back());
  std::map<Position, OperationView, std::greater<>> merged;
  for (OperationRecord& row : rows.records) {
    Position position = PositionOf(row);
    merged.emplace(std::move(position), OperationView{.record = std::move(row), .progress = {}});
  }
  for (const OperationView& view : live) {
    const Position position = PositionOf(view.record);
    if (position >= begin || (!last_page && position < end)) continue;
    merged.insert_or_assign(position, view);
  }
  Page<OperationView> page{.records = {}, .next_token = std::move(rows.next_token)};
  for (auto& [position, view] : merged) {
    if (page.records.size() == static_cast<std::size_t>(limit)) {
      page.next_token = TokenOf(page.records.back().record);
      break;
    }
    page.records.push_back(std::move(view));
  }
  return page;
}

Result<Page<OperationView>> ListOperations(Engine& engine, const std::string& token, int limit,
                                           bool all) {
  // Before the rows are read: what ends in between is still told as running, and not left out.
  const std::vector<OperationView> live = Running(engine);
  std::vector<OperationState> states;
  if (!all) states.push_back(OperationState::kRunning);
  auto rows = TRY(engine.inventory().ListOperations(token, limit, states));
  return MergeRunning(std::move(rows), live, token, limit);
}

Result<OperationView> FindOperation(Engine& engine, const std::string& key) {
  auto row = engine.inventory().FindOperation(key);
  if (row.ok()) {
    const auto operation = engine.FindLive(row->id);
    if (operation != nullptr) return View(*operation);
    return OperationView{.record = std::move(*row), .progress = {}};
  }
  if (row.error().reason != "OPERATION_NOT_FOUND") return std::move(row).error();
  std::vector<OperationView> matches = Running(engine);
  std::erase_if(matches,
                [&](const OperationView& view) { return !view.record.id.str().starts_with(key); });
  if (matches.empty()) return std::move(row).error();
  if (matches.size() == 1) return std::move(matches.front());
  std::vector<std::string> ids;
  ids.reserve(matches.size());
  for (const OperationView& view : matches) ids.push_back(view.record.id.str());
  return errors::KeyAmbiguous("operation", key, ids);
}

}  // namespace crd::rpc
