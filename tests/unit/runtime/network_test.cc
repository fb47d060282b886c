#include "daemon/runtime/network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace crd::runtime {
namespace {

TEST(Network, NamesTheInterfacesThatSomebodyPutThere) {
  EXPECT_THAT(ParseInterfaces("Inter-|   Receive                |  Transmit\n"
                              " face |bytes    packets errs     |bytes\n"
                              "    lo:       0       0    0\n"
                              " tunl0:       0       0    0\n"
                              "  eth0:      12       1    0\n"
                              "veth1234567890:      12       1    0\n"),
              ::testing::ElementsAre("eth0", "veth1234567890"));
}

}  // namespace
}  // namespace crd::runtime
