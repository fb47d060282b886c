#include "net/nft_lock.h"

#include <memory>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nftables/libnftables.h>
#include <sched.h>

#include "net/netns.h"
#include "tests/support/result_matchers.h"
#include "tests/support/test_process.h"

namespace crd::net {
namespace {

using ::crd::testing::FailsWith;
using ::crd::testing::IsOk;
using ::crd::testing::Must;
using ::crd::testing::TestProcess;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr const char* kLock = "CRIU-0a756fef-1111-2222-3333-444455556666";

// All tables of these tests are in a network namespace that ends with them.
class NftLockTest : public ::testing::Test {
 protected:
  void SetUp() override {
    netns_.reset(
        ::open(fmt::format("/proc/{}/ns/net", process_.pid()).c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(netns_.valid());
  }
  [[nodiscard]] bool Nft(const std::string& command) const {
    bool done = false;
    static_cast<void>(RunInNetns(netns_.ref(), [&]() -> Result<void> {
      const std::unique_ptr<nft_ctx, void (*)(nft_ctx*)> context(nft_ctx_new(NFT_CTX_DEFAULT),
                                                                 &nft_ctx_free);
      done = nft_run_cmd_from_buffer(context.get(), command.c_str()) == 0;
      return {};
    }));
    return done;
  }

  const TestProcess process_{[] { Must(::unshare(CLONE_NEWNET) == 0); }};
  UniqueFd netns_;
};

TEST_F(NftLockTest, OnlyCriusTablesOfFamilyInetAreLocks) {
  ASSERT_TRUE(Nft(fmt::format("add table inet {}", kLock)));
  ASSERT_TRUE(Nft("add table inet CRIU-7"));
  ASSERT_TRUE(Nft("add table inet mine"));
  ASSERT_TRUE(Nft("add table ip CRIU-8"));
  ASSERT_OK_AND_ASSIGN(const std::vector<std::string> locks, ListNetworkLocks(netns_.ref()));
  EXPECT_THAT(locks, UnorderedElementsAre(kLock, "CRIU-7"));
}

TEST_F(NftLockTest, RemovesTheOneThatIsNamedWithAllItsRules) {
  ASSERT_TRUE(Nft(fmt::format("add table inet {}", kLock)));
  ASSERT_TRUE(
      Nft(fmt::format("add chain inet {} output {{ type filter hook output priority 0; "
                      "policy drop; }}",
                      kLock)));
  ASSERT_TRUE(Nft("add table inet CRIU-7"));
  EXPECT_THAT(RemoveNetworkLock(kLock, netns_.ref()), IsOk());
  ASSERT_OK_AND_ASSIGN(const std::vector<std::string> locks, ListNetworkLocks(netns_.ref()));
  EXPECT_THAT(locks, UnorderedElementsAre("CRIU-7"));
}

TEST_F(NftLockTest, HavingNothingToRemoveIsNoError) {
  EXPECT_THAT(RemoveNetworkLock(kLock, netns_.ref()), IsOk());
  ASSERT_OK_AND_ASSIGN(const std::vector<std::string> locks, ListNetworkLocks(netns_.ref()));
  EXPECT_THAT(locks, IsEmpty());
}

TEST_F(NftLockTest, OtherNamesNeverReachNft) {
  ASSERT_TRUE(Nft("add table inet mine"));
  for (const char* name : {"mine", "", "CRIU-", "CRIU-1; flush ruleset", "CRIU-1\n", "criu-1"}) {
    EXPECT_THAT(RemoveNetworkLock(name, netns_.ref()), FailsWith(Code::kInvalidArgument)) << name;
  }
  EXPECT_TRUE(Nft("list table inet mine"));
}

TEST_F(NftLockTest, CallerStaysInItsNamespace) {
  ASSERT_TRUE(Nft(fmt::format("add table inet {}", kLock)));
  ASSERT_OK_AND_ASSIGN(const std::vector<std::string> here, ListNetworkLocks());
  EXPECT_EQ(std::count(here.begin(), here.end(), kLock), 0);
}

}  // namespace
}  // namespace crd::net
