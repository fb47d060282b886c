#include "store/statement.h"

#include <cerrno>
#include <utility>

#include <sqlite3.h>

#include "store/sqlite_error.h"

namespace crd::store {

Statement::Statement(Statement&& other) noexcept
    : prepared_(std::exchange(other.prepared_, nullptr)), bind_result_(other.bind_result_) {}

Statement::~Statement() {
  if (prepared_ == nullptr) return;
  // Returns the failure of the last step once more; Step() has reported it.
  sqlite3_reset(prepared_);
  sqlite3_clear_bindings(prepared_);
}

void Statement::Note(int result) {
  if (bind_result_ == SQLITE_OK) bind_result_ = result;
}

void Statement::BindInteger(int parameter, std::int64_t value) {
  Note(sqlite3_bind_int64(prepared_, parameter, value));
}

void Statement::Bind(int parameter, std::string_view value) {
  // A null pointer would bind NULL instead of an empty text.
  const char* text = value.empty() ? "" : value.data();
  Note(sqlite3_bind_text64(prepared_, parameter, text, value.size(),
                           SQLITE_TRANSIENT,  // NOLINT(performance-no-int-to-ptr): SQLite's macro
                           SQLITE_UTF8));
}

void Statement::Bind(int parameter, const std::optional<std::int64_t>& value) {
  if (value.has_value()) {
    BindInteger(parameter, *value);
  } else {
    Note(sqlite3_bind_null(prepared_, parameter));
  }
}

Result<bool> Statement::Step() {
  sqlite3* connection = sqlite3_db_handle(prepared_);
  if (bind_result_ != SQLITE_OK) return SqliteError(connection, bind_result_);
  errno = 0;
  const int result = sqlite3_step(prepared_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return SqliteError(connection, result);
}

Result<void> Statement::Run() {
  while (TRY(Step())) {
  }
  return {};
}

std::int64_t Statement::Integer(int column) const {
  return sqlite3_column_int64(prepared_, column);
}

std::optional<std::int64_t> Statement::OptionalInteger(int column) const {
  if (sqlite3_column_type(prepared_, column) == SQLITE_NULL) return std::nullopt;
  return Integer(column);
}

std::string Statement::Text(int column) const {
  // In this order: asking for the text may convert it, which changes its length.
  const auto* text = sqlite3_column_text(prepared_, column);
  const int size = sqlite3_column_bytes(prepared_, column);
  if (text == nullptr) return {};
  return std::string(text, text + size);
}

}  // namespace crd::store
