#pragma once

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "daemon/core/preflight.h"
#include "tests/support/result_matchers.h"
#include "tests/support/test_process.h"

namespace crd::testing {

inline Result<Preflight> Inspect(pid_t pid, const criu::DumpOptions& options = {},
                                 const std::vector<pid_t>& busy = {}) {
  PreflightContext context{.self = ::getpid()};
  for (const pid_t each : busy) context.busy.emplace(each, OperationId("other"));
  return InspectTree(pid, options, context);
}

// Names of the refusals of a tree, in order; the refusal of the target alone if there is one.
inline std::vector<std::string> Reasons(pid_t pid, const criu::DumpOptions& options = {}) {
  const Result<Preflight> preflight = Inspect(pid, options);
  if (!preflight.ok()) return {preflight.error().reason};
  std::vector<std::string> reasons;
  for (const Obstacle& obstacle : preflight.value().obstacles) {
    reasons.push_back(obstacle.error.reason);
  }
  return reasons;
}

// All sentences of a tree's refusals.
inline std::string Messages(pid_t pid, const criu::DumpOptions& options = {}) {
  const Result<Preflight> preflight = Inspect(pid, options);
  if (!preflight.ok()) return preflight.error().message;
  std::string messages;
  for (const Obstacle& obstacle : preflight.value().obstacles) {
    messages += obstacle.error.message + "\n";
  }
  return messages;
}

}  // namespace crd::testing
