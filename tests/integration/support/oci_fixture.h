#pragma once

#include <memory>
#include <string>

#include "tests/integration/support/integration_test.h"
#include "tests/integration/support/oci_container.h"

namespace crd::testing {

// A container of each runtime, not run yet.
class OciFixture : public IntegrationTest, public ::testing::WithParamInterface<Flavour> {
 protected:
  void SetUp() override {
    IntegrationTest::SetUp();
    container_ = std::make_unique<OciContainer>(reaper_, dir_.path(), GetParam());
  }
  void TearDown() override {
    container_.reset();
    IntegrationTest::TearDown();
  }

  [[nodiscard]] Crctl::Words With(Crctl::Words words) const {
    words.insert(words.end(), {"--root", container_->root()});
    return words;
  }
  std::string CheckpointedContainer(const Crctl::Words& options = {}) {
    Crctl::Words words = With({"checkpoint", container_->id()});
    words.insert(words.end(), options.begin(), options.end());
    const Outcome made = crctl_(words);
    EXPECT_EQ(made.exit, 0) << ::testing::PrintToString(made) << crd_.Log();
    return made.Line();
  }
  // Checkpoints it and restores it as it was.
  std::string ThereAndBack() { return Restored(CheckpointedContainer()); }

  std::unique_ptr<OciContainer> container_;
};

inline auto EveryRuntime() {
  return ::testing::Values(Flavour::kRunc, Flavour::kCrun, Flavour::kRuncV2);
}
inline std::string NameOfRuntime(const ::testing::TestParamInfo<Flavour>& test) {
  return FlavourName(test.param);
}

}  // namespace crd::testing
