#pragma once

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/exit_codes.h"
#include "tests/fakes/fake_crd.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/client/crctl_run.h"

namespace crd::client {

// A fake crd on a socket in a directory of its own, and crctl command lines that ask it.
class WithFakeCrd : public ::testing::Test {
 protected:
  WithFakeCrd() { ::unsetenv("CRD_SOCKET"); }  // NOLINT(concurrency-mt-unsafe): no threads yet
  void SetUp() override { ASSERT_TRUE(crd_.started()); }

  [[nodiscard]] std::vector<std::string> At(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"--socket", socket_});
    return arguments;
  }
  [[nodiscard]] Outcome Run(std::vector<std::string> arguments) const {
    return Crctl(At(std::move(arguments)));
  }

  crd::testing::TempDir dir_;
  const std::string socket_ = dir_ / "crd.sock";
  crd::testing::FakeCrd crd_{socket_};
  crd::testing::Answers& answers_ = crd_.answers;
};

}  // namespace crd::client
