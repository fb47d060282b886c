#pragma once

#include <cstdlib>
#include <string>

#include <gtest/gtest.h>
#include <sched.h>

#include "net/netns.h"
#include "tests/support/result_matchers.h"

namespace crd::net::testing {

// What is "the host" to these tests is a network namespace of their own, and ends with them. They
// set networks up with ip(8), which knows nothing of the code under test.
class NamespacesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
    ASSERT_TRUE(Ip("link set lo up"));
  }

  static bool Ip(const std::string& arguments) { return Run("ip " + arguments); }
  static bool IpIn(FdRef netns, const std::string& arguments) {
    bool done = false;
    static_cast<void>(RunInNetns(netns, [&]() -> Result<void> {
      done = Ip(arguments);
      return {};
    }));
    return done;
  }
  static bool Run(const std::string& command) { return std::system(command.c_str()) == 0; }

  // A bridge with addresses, and `inner` in the namespace plugged into it by `outer`.
  static void MakeBridge(const std::string& name) {
    ASSERT_TRUE(Ip("link add " + name + " type bridge"));
    ASSERT_TRUE(Ip("address add 10.77.0.1/24 dev " + name));
    ASSERT_TRUE(Ip("address add fd77::1/64 dev " + name + " nodad"));
    ASSERT_TRUE(Ip("link set " + name + " up"));
  }
  static void MakeVeth(FdRef netns, const std::string& inner, const std::string& outer,
                       const std::string& bridge) {
    ASSERT_TRUE(Ip("link add " + outer + " type veth peer name " + inner + " netns /proc/" +
                   std::to_string(::getpid()) + "/fd/" + std::to_string(netns.get())));
    if (!bridge.empty()) {
      ASSERT_TRUE(Ip("link set " + outer + " master " + bridge));
    }
    ASSERT_TRUE(Ip("link set " + outer + " up"));
    ASSERT_TRUE(IpIn(netns, "link set lo up"));
    ASSERT_TRUE(IpIn(netns, "link set " + inner + " up"));
  }
};

}  // namespace crd::net::testing
