#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/result.h"

struct sqlite3_stmt;

namespace crd::store {

// One use of a prepared statement that its Database owns; forgets its values and its position when
// it goes out of scope, so that the next use begins afresh. Belongs to whoever holds the Database.
class Statement {
 public:
  explicit Statement(sqlite3_stmt* prepared) : prepared_(prepared) {}
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement();

  // Parameters count from 1; one that was never bound is NULL. Texts are copied. A failure shows in
  // the next Step().
  template <std::integral T>
  void Bind(int parameter, T value) {
    BindInteger(parameter, static_cast<std::int64_t>(value));
  }
  void Bind(int parameter, std::string_view value);
  void Bind(int parameter, const std::optional<std::int64_t>& value);

  // Binds all parameters from the first one on, in order.
  template <typename... Values>
  void BindAll(const Values&... values) {
    int parameter = 0;
    (Bind(++parameter, values), ...);
  }

  // True: there is a row to read. False: done.
  Result<bool> Step();
  // For a statement without rows.
  Result<void> Run();

  // Columns of the current row, counted from 0.
  [[nodiscard]] std::int64_t Integer(int column) const;
  [[nodiscard]] std::optional<std::int64_t> OptionalInteger(int column) const;
  [[nodiscard]] std::string Text(int column) const;

 private:
  void BindInteger(int parameter, std::int64_t value);
  void Note(int result);

  sqlite3_stmt* prepared_;  // null when moved from
  int bind_result_ = 0;     // the first failure
};

// Reads the columns of a row one after the other. Members of a braced list are evaluated in order,
// so a row can be read as Row{.id = columns.Text(), .pid = columns.Integer()}.
class Columns {
 public:
  explicit Columns(const Statement& statement) : statement_(statement) {}
  [[nodiscard]] std::int64_t Integer() { return statement_.Integer(next_++); }
  [[nodiscard]] std::optional<std::int64_t> OptionalInteger() {
    return statement_.OptionalInteger(next_++);
  }
  [[nodiscard]] std::string Text() { return statement_.Text(next_++); }

 private:
  const Statement& statement_;
  int next_ = 0;
};

}  // namespace crd::store
