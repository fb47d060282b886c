#include "daemon/criu/compatibility.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace crd::criu {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

const KernelTraits kOldKernel{.release = "6.1.0", .refuses_passcred_on_inet = false};
const KernelTraits kNewKernel{.release = "6.18.0", .refuses_passcred_on_inet = true};

struct Row {
  Version version;
  const KernelTraits& kernel;
  const char* needed;  // null: works
};

class CompatibilityTest : public ::testing::TestWithParam<Row> {};

TEST_P(CompatibilityTest, IsJudgedByTheTable) {
  const std::string problem = FindIncompatibility(GetParam().version, GetParam().kernel);
  if (GetParam().needed == nullptr) {
    EXPECT_THAT(problem, IsEmpty());
  } else {
    EXPECT_THAT(problem, HasSubstr(std::string("CRIU ") + GetParam().needed + " or later"));
    EXPECT_THAT(problem, HasSubstr(GetParam().kernel.release));
    EXPECT_THAT(problem, HasSubstr("CRIU " + GetParam().version.ToString() + " cannot"));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Criu, CompatibilityTest,
    ::testing::Values(Row{{3, 17, 1}, kOldKernel, "4.1"}, Row{{3, 17, 1}, kNewKernel, "4.2"},
                      Row{{4, 0, 0}, kOldKernel, "4.1"}, Row{{4, 1, 0}, kOldKernel, nullptr},
                      Row{{4, 1, 1}, kOldKernel, nullptr}, Row{{4, 1, 1}, kNewKernel, "4.2"},
                      Row{{4, 2, 0}, kNewKernel, nullptr}, Row{{4, 2, 1}, kNewKernel, nullptr},
                      Row{{5, 0, 0}, kNewKernel, nullptr}));

TEST(VersionTest, LeavesOutASublevelOfZero) {
  EXPECT_EQ((Version{4, 2, 0}).ToString(), "4.2");
  EXPECT_EQ((Version{4, 2, 1}).ToString(), "4.2.1");
}

TEST(ProbeKernelTest, TellsTheRelease) { EXPECT_FALSE(ProbeKernel().release.empty()); }

}  // namespace
}  // namespace crd::criu
