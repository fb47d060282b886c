#pragma once

#include <ostream>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/base/result.h"

namespace crd {

inline void PrintTo(const Error& error, std::ostream* out) {
  *out << CodeName(error.code) << " " << error.reason << ": " << error.message;
}

template <typename T>
void PrintTo(const Result<T>& result, std::ostream* out) {
  if (result.ok()) {
    *out << "ok";
  } else {
    PrintTo(result.error(), out);
  }
}

namespace testing {

MATCHER(IsOk, "is ok") { return arg.ok(); }

MATCHER_P(FailsWith, code, "fails with the given code") {
  return !arg.ok() && arg.error().code == code;
}

// A named refusal of the catalogue.
MATCHER_P(Refuses, reason, "is refused by this reason") {
  return !arg.ok() && arg.error().reason == reason;
}

}  // namespace testing
}  // namespace crd

// Assigns the value of a Result, or ends the test.
#define ASSERT_OK_AND_ASSIGN(declaration, ...)                    \
  auto CRD_CONCAT(result_, __LINE__) = (__VA_ARGS__);             \
  ASSERT_TRUE(CRD_CONCAT(result_, __LINE__).ok())                 \
      << ::testing::PrintToString(CRD_CONCAT(result_, __LINE__)); \
  declaration = std::move(CRD_CONCAT(result_, __LINE__)).value()
#define CRD_CONCAT(a, b) CRD_CONCAT_INNER(a, b)
#define CRD_CONCAT_INNER(a, b) a##b
