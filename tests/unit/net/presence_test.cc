#include "net/presence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/build.h"
#include "net/describe.h"
#include "net/frames.h"
#include "net/links.h"
#include "tests/support/result_matchers.h"
#include "tests/unit/net/namespaces.h"

namespace crd::net {
namespace {

using ::crd::testing::IsOk;
using ::crd::testing::Refuses;
using ::testing::HasSubstr;

const Bytes kMac = {2, 0, 0, 0, 0, 5};
const Bytes kAddress4 = {10, 77, 0, 5};
const Bytes kAddress6 = {0xfd, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5};

TEST(FramesTest, AnAnnouncementSaysWhoHasAnAddress) {
  for (const Bytes& address : {kAddress4, kAddress6}) {
    const Bytes frame = AnnouncementFrame(kMac, address);
    EXPECT_EQ(OwnerInFrame(frame, address), kMac);
    Bytes other = address;
    other.back() = 6;
    EXPECT_EQ(OwnerInFrame(frame, other), std::nullopt);
  }
}

TEST(FramesTest, OneWhoWantsTheAddressHasItToo) {
  EXPECT_EQ(OwnerInFrame(ProbeFrame(kMac, kAddress4), kAddress4), kMac);
  EXPECT_EQ(OwnerInFrame(ProbeFrame(kMac, kAddress6), kAddress6), kMac);
}

TEST(FramesTest, FramesThatAreCutOffSayNothing) {
  for (const Bytes& address : {kAddress4, kAddress6}) {
    const Bytes whole = AnnouncementFrame(kMac, address);
    for (std::size_t size = 0; size < 14 + 28; ++size) {
      const Bytes frame(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_EQ(OwnerInFrame(frame, address), std::nullopt) << size;
    }
  }
}

// A namespace that is plugged into br0, and a second one that has an address there.
class PresenceTest : public testing::NamespacesTest {
 protected:
  void SetUp() override {
    NamespacesTest::SetUp();
    MakeBridge("br0");
    ASSERT_OK_AND_ASSIGN(other_, MakeNetns());
    MakeVeth(other_.ref(), "eth0", "vo0", "br0");
    ASSERT_TRUE(IpIn(other_.ref(), "link set eth0 address 02:00:00:00:00:77"));
    ASSERT_OK_AND_ASSIGN(UniqueFd netns, MakeNetns());
    MakeVeth(netns.ref(), "eth0", "vc0", "br0");
    ASSERT_TRUE(IpIn(netns.ref(), "address add 10.77.0.5/24 dev eth0"));
    ASSERT_TRUE(IpIn(netns.ref(), "address add fd77::5/64 dev eth0 nodad"));
    ASSERT_OK_AND_ASSIGN(description_, Describe(netns.ref()));
    ASSERT_TRUE(Ip("link del vc0"));
    AwaitForwarding();
  }
  // The port of the other one works, so that whoever is there can answer.
  void AwaitForwarding() {
    ASSERT_TRUE(IpIn(other_.ref(), "address add 10.77.0.200/24 dev eth0"));
    ASSERT_TRUE(Reaches(other_.ref(), "10.77.0.200", std::chrono::seconds(20)));
  }
  // Where somebody is to answer, a busy machine may take its time.
  Result<void> Detect(std::chrono::milliseconds patience = std::chrono::seconds(20)) {
    DuplicateDetection detection = TRY(DuplicateDetection::Start(description_, patience));
    return detection.Finish();
  }
  UniqueFd other_;
  Description description_;
};

TEST_F(PresenceTest, AddressesThatNobodyHasAreFree) {
  EXPECT_THAT(Detect(DuplicateDetection::kPatience), IsOk());
}

TEST_F(PresenceTest, WhoHasTheAddressIsNamedByItsMac) {
  ASSERT_TRUE(IpIn(other_.ref(), "address add 10.77.0.5/24 dev eth0"));
  const auto refused = Detect();
  EXPECT_THAT(refused, Refuses("ADDRESS_IN_USE"));
  EXPECT_THAT(refused.error().message, HasSubstr("10.77.0.5"));
  EXPECT_THAT(refused.error().message, HasSubstr("02:00:00:00:00:77"));
}

TEST_F(PresenceTest, WhoHasAnIpv6AddressIsNamedToo) {
  ASSERT_TRUE(IpIn(other_.ref(), "address add fd77::5/64 dev eth0 nodad"));
  const auto refused = Detect();
  EXPECT_THAT(refused, Refuses("ADDRESS_IN_USE"));
  EXPECT_THAT(refused.error().message, HasSubstr("fd77::5"));
  EXPECT_THAT(refused.error().message, HasSubstr("02:00:00:00:00:77"));
}

TEST_F(PresenceTest, WhoMissedTheFirstQuestionHearsTheSecond) {
  ASSERT_OK_AND_ASSIGN(DuplicateDetection detection,
                       DuplicateDetection::Start(description_, std::chrono::seconds(6)));
  ASSERT_TRUE(IpIn(other_.ref(), "address add 10.77.0.5/24 dev eth0"));
  EXPECT_THAT(detection.Finish(), Refuses("ADDRESS_IN_USE"));
}

TEST_F(PresenceTest, AnAddressOfTheHostIsInUse) {
  ASSERT_TRUE(Ip("address add 10.77.0.5/24 dev br0"));
  EXPECT_THAT(Detect(), Refuses("ADDRESS_IN_USE"));
}

TEST_F(PresenceTest, AnnouncementsReachTheOthersOnTheBridge) {
  ASSERT_OK_AND_ASSIGN(BuiltNamespace built, BuiltNamespace::Build(description_));
  ASSERT_OK_AND_ASSIGN(Netlink netlink, Netlink::Open());
  ASSERT_OK_AND_ASSIGN(const Link bridge, FindLink(netlink, "br0"));
  ASSERT_OK_AND_ASSIGN(PacketSocket listener, PacketSocket::Open(bridge.index));
  ASSERT_THAT(built.Plug(), IsOk());
  ASSERT_THAT(Announce(description_, built.netns()), IsOk());
  bool heard4 = false;
  bool heard6 = false;
  const Deadline patience = SteadyClock::now() + std::chrono::seconds(20);
  while (!heard4 || !heard6) {
    const auto frame = listener.Receive(patience);
    ASSERT_TRUE(frame.has_value());
    heard4 |= OwnerInFrame(*frame, kAddress4).has_value();
    heard6 |= OwnerInFrame(*frame, kAddress6).has_value();
  }
}

}  // namespace
}  // namespace crd::net
