// Networks and reservations as people and engines ask for them.
#include <future>
#include <set>
#include <string>
#include <vector>

#include <api/v1/network.grpc.pb.h>

#include "tests/integration/support/bridged_network.h"

namespace crd::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Networks : public BridgedNetwork {
 protected:
  template <typename Request, typename Response>
  Answer<Response> Ask(grpc::Status (v1::NetworkService::Stub::*method)(grpc::ClientContext*,
                                                                        const Request&, Response*),
                       const Request& request) {
    Answer<Response> answer;
    grpc::ClientContext context;
    const auto stub = v1::NetworkService::NewStub(api_->channel());
    answer.status = (stub.get()->*method)(&context, request, &answer.message);
    answer.error = ErrorOf(answer.status);
    return answer;
  }
  Answer<v1::BridgeNetwork> Create(const std::string& name, const std::string& bridge,
                                   const std::vector<std::string>& subnets,
                                   const std::vector<std::string>& gateways = {}) {
    v1::CreateNetworkRequest request;
    request.set_name(name);
    request.set_bridge(bridge);
    for (const std::string& subnet : subnets) request.add_subnets(subnet);
    for (const std::string& gateway : gateways) request.add_gateways(gateway);
    return Ask(&Stub::CreateNetwork, request);
  }
  Answer<v1::Reservation> Reserve(const std::string& network,
                                  const std::vector<std::string>& addresses = {},
                                  const std::string& request_id = "") {
    v1::ReserveRequest request;
    request.set_network(network);
    request.set_request_id(request_id);
    for (const std::string& address : addresses) request.add_addresses(address);
    return Ask(&Stub::Reserve, request);
  }
  Answer<v1::CheckAddressResponse> Check(const std::string& network, const std::string& address) {
    v1::CheckAddressRequest request;
    request.set_network(network);
    request.set_address(address);
    return Ask(&Stub::CheckAddress, request);
  }
  using Stub = v1::NetworkService::Stub;
};

TEST_F(Networks, ABridgeIsMadeAndGoesWithItsNetwork) {
  const Outcome made = crctl_({"network", "create", "web", "--bridge", "br7", "--subnet",
                               "10.78.0.0/24", "--subnet", "fd78::/64", "--gateway", "fd78::fe"});
  EXPECT_EQ(made.Line(), "web");
  const std::string addresses = Ip("address show br7").out;
  EXPECT_THAT(addresses, HasSubstr("10.78.0.1/24"));
  EXPECT_THAT(addresses, HasSubstr("fd78::fe/64"));
  EXPECT_THAT(Ip("link show br7").out, HasSubstr("UP"));
  EXPECT_THAT(crctl_({"network", "ls"}).out, HasSubstr("10.78.0.0/24 fd78::/64"));
  EXPECT_EQ(crctl_({"network", "rm", "web"}).Line(), "web");
  EXPECT_NE(Ip("link show br7").exit, 0);
  EXPECT_TRUE(Refused(crctl_({"network", "rm", "web"}), "'web'"));
}

TEST_F(Networks, ABridgeThatIsThereIsTakenAsItIs) {
  const auto taken = Create("web", "br0", {});
  ASSERT_THAT(taken, Worked());
  EXPECT_EQ(taken->origin(), v1::NETWORK_ORIGIN_TAKEN);
  ASSERT_EQ(taken->subnets_size(), 2);
  EXPECT_EQ(taken->subnets(0).prefix(), "10.77.0.0/24");
  EXPECT_EQ(taken->subnets(0).gateway(), "10.77.0.1");
  EXPECT_EQ(crctl_({"network", "rm", "web"}).exit, 0);
  EXPECT_EQ(Ip("link show br0").exit, 0);
}

TEST_F(Networks, ABridgeOfCrdsIsMadeAgainAtStart) {
  ASSERT_THAT(Create("web", "br7", {"10.78.0.0/24"}), Worked());
  ASSERT_EQ(StopCrd(), (ExitStatus{.code = 0}));
  MustIp("link del br7");
  ASSERT_TRUE(StartCrd());
  EXPECT_THAT(Ip("address show br7").out, HasSubstr("10.78.0.1/24"));
  EXPECT_EQ(crctl_({"network", "rm", "web"}).exit, 0);
  EXPECT_NE(Ip("link show br7").exit, 0);
}

TEST_F(Networks, BadOnesAreRefusedAndNothingIsMade) {
  EXPECT_THAT(Create("web", "br7", {}), FailsBecause("SUBNETS_NEEDED"));
  EXPECT_THAT(Create("web", "br7", {"10.78.0.1/24"}), FailsBecause("SUBNET_INVALID"));
  EXPECT_THAT(Create("web", "br7", {"10.78.0.0/24"}, {"10.79.0.1"}),
              FailsBecause("ADDRESS_OUTSIDE_SUBNET"));
  EXPECT_THAT(Create("web", "a-name-of-16-byt", {"10.78.0.0/24"}),
              FailsBecause("INTERFACE_NAME_INVALID"));
  EXPECT_THAT(Create("-web", "br7", {"10.78.0.0/24"}), FailsBecause("INVALID_NAME"));
  EXPECT_THAT(Create("web", "vp0", {"10.78.0.0/24"}), FailsBecause("NOT_A_BRIDGE"));
  EXPECT_THAT(Create("web", "br0", {"10.99.0.0/24"}), FailsBecause("BRIDGE_OF_ANOTHER_SUBNET"));
  EXPECT_NE(Ip("link show br7").exit, 0);
  ASSERT_THAT(Create("web", "br7", {"10.78.0.0/24"}), Worked());
  EXPECT_THAT(Create("web", "br8", {"10.79.0.0/24"}), FailsBecause("NETWORK_EXISTS"));
  EXPECT_THAT(Create("other", "br7", {"10.79.0.0/24"}), FailsBecause("NETWORK_EXISTS"));
  EXPECT_THAT(Create("other", "br8", {"10.78.0.128/25"}), FailsBecause("SUBNETS_OVERLAP"));
  EXPECT_NE(Ip("link show br8").exit, 0);
  ASSERT_THAT(Reserve("web"), Worked());
  const Outcome used = crctl_({"network", "rm", "web"});
  EXPECT_TRUE(Refused(used, "in use"));
  EXPECT_EQ(crctl_({"network", "release", "10.78.0.2"}).exit, 0);
  MustIp("link set vp0 master br7");
  EXPECT_TRUE(Refused(crctl_({"network", "rm", "web"}), "'vp0'"));
  MustIp("link set vp0 master br0");
  EXPECT_EQ(crctl_({"network", "rm", "web"}).exit, 0);
}

TEST_F(Networks, BadReservationsAreRefused) {
  ASSERT_THAT(Create("web", "br0", {}), Worked());
  EXPECT_THAT(Reserve("nowhere"), FailsBecause("NETWORK_NOT_FOUND"));
  EXPECT_THAT(Reserve("web", {"10.78.0.5"}), FailsBecause("ADDRESS_OUTSIDE_SUBNET"));
  EXPECT_THAT(Reserve("web", {"10.77.0.1"}), FailsBecause("ADDRESS_NOT_FOR_USE"));
  EXPECT_THAT(Reserve("web", {"10.77.0.255"}), FailsBecause("ADDRESS_NOT_FOR_USE"));
  EXPECT_THAT(Reserve("web", {"10.77.0.5/24"}), FailsBecause("ADDRESS_INVALID"));
  ASSERT_THAT(Reserve("web", {"fd77::5"}), Worked());
  EXPECT_THAT(Reserve("web", {"FD77:0::5"}), FailsBecause("ADDRESS_HELD"));
  v1::ReserveRequest request;
  request.set_network("web");
  request.set_mac("01:00:00:00:00:05");
  EXPECT_THAT(Ask(&Stub::Reserve, request), FailsBecause("MAC_INVALID"));
  request.set_mac("02:00:00:00:00:05");
  request.set_host_interface("a-name-of-16-byt");
  EXPECT_THAT(Ask(&Stub::Reserve, request), FailsBecause("INTERFACE_NAME_INVALID"));
  request.set_host_interface("vx0");
  ASSERT_THAT(Ask(&Stub::Reserve, request), Worked());
  const auto same_mac = Ask(&Stub::Reserve, request);
  EXPECT_THAT(same_mac, FailsBecause("MAC_HELD"));
  request.clear_mac();
  EXPECT_THAT(Ask(&Stub::Reserve, request), FailsBecause("HOST_INTERFACE_HELD"));
  EXPECT_TRUE(Refused(crctl_({"network", "release", "10.77.0.200"}), "'10.77.0.200'"));
}

TEST_F(Networks, AnEngineAsksForAddresses) {
  ASSERT_THAT(Create("web", "br0", {}), Worked());
  v1::FreeAddressRequest any;
  any.set_network("web");
  const auto free = Ask(&Stub::FreeAddress, any);
  ASSERT_THAT(free, Worked());
  EXPECT_THAT(free->addresses(), ::testing::ElementsAre("10.77.0.2", "fd77::2"));
  EXPECT_TRUE(Check("web", "10.77.0.2")->free());
  const auto reserved = Reserve("web", {}, "once");
  ASSERT_THAT(reserved, Worked());
  EXPECT_EQ(Reserve("web", {}, "once")->id(), reserved->id());
  EXPECT_THAT(Reserve("web", {"10.77.0.9"}, "once"), FailsBecause("REQUEST_ID_REUSED"));
  const auto taken = Check("web", "10.77.0.2");
  EXPECT_FALSE(taken->free());
  EXPECT_EQ(taken->obstacle().reason(), "ADDRESS_HELD");
  EXPECT_EQ(taken->holder().id(), reserved->id());
  EXPECT_EQ(Check("web", "10.99.0.1")->obstacle().reason(), "ADDRESS_OUTSIDE_SUBNET");
  EXPECT_THAT(Check("web", "nonsense"), FailsBecause("ADDRESS_INVALID"));
}

TEST_F(Networks, ManyWhoAskAtOnceGetAddressesOfTheirOwn) {
  ASSERT_THAT(Create("web", "br0", {}), Worked());
  std::vector<std::future<Answer<v1::Reservation>>> calls;
  for (int caller = 0; caller < 8; ++caller)
    calls.push_back(std::async(std::launch::async, [&] { return Reserve("web"); }));
  std::set<std::string> addresses;
  for (auto& call : calls) {
    const auto reserved = call.get();
    ASSERT_THAT(reserved, Worked());
    addresses.insert(reserved->addresses(0));
  }
  EXPECT_EQ(addresses.size(), 8U);
}

TEST_F(Networks, ChangesAreToldToWhoWatches) {
  ASSERT_THAT(Create("web", "br0", {}), Worked());
  grpc::ClientContext context;
  v1::WatchNetworksRequest request;
  request.set_from_now(true);
  request.set_follow(true);
  request.set_network("web");
  const auto stub = v1::NetworkService::NewStub(api_->channel());
  const auto reader = stub->Watch(&context, request);
  reader->WaitForInitialMetadata();
  const auto reserved = Reserve("web");
  ASSERT_THAT(reserved, Worked());
  v1::NetworkEvent event;
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(event.event().subject(), "reservation");
  EXPECT_EQ(event.event().change(), "held");
  EXPECT_EQ(event.reservation().id(), reserved->id());
  EXPECT_EQ(crctl_({"network", "release", reserved->id()}).exit, 0);
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(event.event().change(), "released");
  context.TryCancel();
  reader->Finish();
}

TEST_F(Networks, ReservationsOutliveCrdAndExpireWhileItIsAway) {
  ASSERT_THAT(Create("web", "br0", {}), Worked());
  ASSERT_THAT(Reserve("web", {"10.77.0.5"}), Worked());
  EXPECT_EQ(crctl_({"network", "reserve", "web", "10.77.0.6", "--reserve-for", "1us"}).exit, 0);
  ASSERT_TRUE(RestartAfterKill9());
  EXPECT_FALSE(Check("web", "10.77.0.5")->free());
  EXPECT_TRUE(Check("web", "10.77.0.6")->free());
}

}  // namespace
}  // namespace crd::testing
