#pragma once

#include <cassert>
#include <optional>
#include <utility>
#include <variant>

#include "daemon/base/error.h"

namespace crd {

// A value or the reason why there is none. Named after std::expected, which g++ 12 has but
// clang 14 cannot parse; it can replace this class once both compilers are newer.
template <typename T>
class [[nodiscard]] Result {
 public:
  // Both are meant to be implicit: a function returns the one or the other.
  // NOLINTNEXTLINE(google-explicit-constructor)
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  [[nodiscard]] bool ok() const { return state_.index() == 0; }

  T& value() & {
    assert(ok());
    return std::get<0>(state_);
  }
  [[nodiscard]] const T& value() const& {
    assert(ok());
    return std::get<0>(state_);
  }
  T&& value() && {
    assert(ok());
    return std::get<0>(std::move(state_));
  }
  [[nodiscard]] const Error& error() const& {
    assert(!ok());
    return std::get<1>(state_);
  }
  Error&& error() && {
    assert(!ok());
    return std::get<1>(std::move(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // Puts "context: " in front of the error, if there is one.
  [[nodiscard]] Result Annotate(std::string_view context) && {
    if (ok()) return std::move(*this);
    return std::move(*this).error().Annotated(context);
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return !error_.has_value(); }
  void value() const { assert(ok()); }
  [[nodiscard]] const Error& error() const& {
    assert(!ok());
    return *error_;
  }
  Error&& error() && {
    assert(!ok());
    return std::move(*error_);
  }
  [[nodiscard]] Result Annotate(std::string_view context) && {
    if (ok()) return {};
    return std::move(*error_).Annotated(context);
  }

 private:
  std::optional<Error> error_;
};

}  // namespace crd

// Evaluates to the value of a Result, or returns its error from the enclosing function. The only
// control-flow macro of the project. May be nested, hence the counted name.
#define TRY(...) CRD_TRY_AS(CRD_TRY_NAME(__COUNTER__), __VA_ARGS__)
#define CRD_TRY_NAME(number) CRD_TRY_PASTE(try_result_, number)
#define CRD_TRY_PASTE(name, number) name##number
#define CRD_TRY_AS(result, ...)                         \
  __extension__({                                       \
    auto result = (__VA_ARGS__);                        \
    if (!result.ok()) return std::move(result).error(); \
    std::move(result).value();                          \
  })
