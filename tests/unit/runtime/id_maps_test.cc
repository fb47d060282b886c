#include "daemon/runtime/id_maps.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include "tests/support/result_matchers.h"

namespace crd::runtime {
namespace {

using ::testing::ElementsAre;
using testing::FailsWith;

TEST(IdMaps, AreReadAsTheKernelWritesThem) {
  ASSERT_OK_AND_ASSIGN(const auto ranges, ParseIdMap("      1000     200000         10\n"
                                                     "         0     100000       1000\n"));
  EXPECT_THAT(ranges, ElementsAre(IdRange{0, 100000, 1000}, IdRange{1000, 200000, 10}));
  EXPECT_THAT(ParseIdMap("0 x 1\n"), FailsWith(Code::kDataLoss));
  EXPECT_THAT(ParseIdMap("0 1\n"), FailsWith(Code::kDataLoss));
}

TEST(IdMaps, TellWhoIsThere) {
  const IdMaps maps{.users = {{0, 100000, 1000}, {1000, 4294967290, 5}},
                    .groups = {{1, 7, 1}, {0, 300, 1}}};
  EXPECT_TRUE(maps.HasUser(100000));
  EXPECT_TRUE(maps.HasUser(100999));
  EXPECT_FALSE(maps.HasUser(101000));
  EXPECT_FALSE(maps.HasUser(0));
  EXPECT_TRUE(maps.HasUser(4294967294));
  EXPECT_FALSE(maps.HasUser(4294967295));
  EXPECT_TRUE(maps.HasGroup(7));
  EXPECT_FALSE(maps.HasGroup(0));
  EXPECT_EQ(maps.RootGroup(), 300U);
  EXPECT_TRUE(IdMaps().empty());
  EXPECT_EQ(IdMaps().RootGroup(), static_cast<gid_t>(-1));
}

TEST(IdMaps, TellWhetherNobodyIsSomebody) {
  IdMaps maps{.users = {{0, 100000, 65536}}, .groups = {{0, 100000, 65534}}};
  EXPECT_FALSE(maps.HasNobody());
  maps.groups.push_back({65534, 7, 1});
  EXPECT_TRUE(maps.HasNobody());
}

TEST(IdMaps, AreThoseOfAProcess) {
  ASSERT_OK_AND_ASSIGN(const IdMaps own, ReadIdMaps(::getpid()));
  EXPECT_TRUE(own.HasUser(::getuid()));
  EXPECT_TRUE(own.HasGroup(::getgid()));
}

}  // namespace
}  // namespace crd::runtime
