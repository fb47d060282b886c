#include <gmock/gmock.h>

#include "tests/unit/store/raw_database.h"
#include "tests/unit/store/store_fixture.h"

namespace crd::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

ReservationRow Reservation(std::string id, std::vector<std::string> addresses,
                           std::string state = "held") {
  return {.id = std::move(id),
          .network = "web",
          .state = std::move(state),
          .keeping = "release",
          .addresses = std::move(addresses),
          .created_us = 1};
}

class ReservationTest : public StoreTest {
 protected:
  Result<void> Write(const ReservationRow& row) {
    TRY(store().Write({.reservations = {row}}));
    return {};
  }
};

TEST_F(ReservationTest, ComesBackAsItWasWritten) {
  ReservationRow row = Reservation("r1", {"10.77.0.5", "fd77::5"});
  row.keeping = "hold";
  row.interface = "eth0";
  row.host_interface = "vc0";
  row.mac = "02:00:00:00:00:05";
  row.holder = "somebody";
  row.checkpoint_id = "c1";
  row.container_id = "k1";
  row.changed_us = 2;
  row.expires_us = 3;
  row.problem = "none";
  ASSERT_THAT(Write(row), testing::IsOk());
  Reopen();
  EXPECT_EQ(store().MatchReservations("r1").value().at(0), row);
  EXPECT_EQ(store().ListReservationsOfCheckpoint("c1").value().at(0), row);
  EXPECT_EQ(store().ListReservationsOfContainer("k1").value().at(0), row);
  EXPECT_THAT(store().ListReservedAddresses("web").value(), SizeIs(2));
}

class LiveReservationTest : public ReservationTest,
                            public ::testing::WithParamInterface<const char*> {};

TEST_P(LiveReservationTest, HasItsAddressMacAndInterfaceForItself) {
  ReservationRow first = Reservation("r1", {"10.77.0.5", "fd77::5"}, GetParam());
  first.mac = "02:00:00:00:00:05";
  first.host_interface = "vc0";
  ASSERT_THAT(Write(first), testing::IsOk());
  EXPECT_THAT(Write(Reservation("r2", {"10.77.0.6", "fd77::5"})),
              testing::Refuses("RESERVATION_CONFLICT"));
  ReservationRow mac = Reservation("r3", {"10.77.0.7"});
  mac.mac = first.mac;
  EXPECT_THAT(Write(mac), testing::Refuses("RESERVATION_CONFLICT"));
  ReservationRow interface = Reservation("r4", {"10.77.0.8"});
  interface.host_interface = "vc0";
  interface.network = "other";
  EXPECT_THAT(Write(interface), testing::Refuses("RESERVATION_CONFLICT"));
  EXPECT_THAT(Ids(store().ListReservations({}, 10, {}).value()), ElementsAre("r1"));
  EXPECT_THAT(Ids(store()
                      .FindReservations({.network = "web", .addresses = {"10.77.0.9", "fd77::5"}})
                      .value()),
              ElementsAre("r1"));
}

INSTANTIATE_TEST_SUITE_P(States, LiveReservationTest, ::testing::Values("active", "held"));

TEST_F(ReservationTest, OtherNetworksMayHaveTheSameAddressesAndMacs) {
  ReservationRow row = Reservation("r1", {"10.77.0.5"});
  row.mac = "02:00:00:00:00:05";
  ASSERT_THAT(Write(row), testing::IsOk());
  row.id = "r2";
  row.network = "other";
  EXPECT_THAT(Write(row), testing::IsOk());
}

TEST_F(ReservationTest, ReleasedItIsFreeForOthersInTheSameChange) {
  ASSERT_THAT(Write(Reservation("r1", {"10.77.0.5"})), testing::IsOk());
  EXPECT_THAT(store().Write({.reservations = {Reservation("r2", {"10.77.0.5"}),
                                              Reservation("r1", {"10.77.0.5"}, "released")}}),
              testing::IsOk());
  EXPECT_THAT(Ids(store().FindReservations({.network = "web", .addresses = {"10.77.0.5"}}).value()),
              ElementsAre("r2"));
}

TEST_F(ReservationTest, ARefusedChangeChangesNothing) {
  ASSERT_THAT(Write(Reservation("r1", {"10.77.0.5"})), testing::IsOk());
  EXPECT_THAT(store().Write({.checkpoints = {Checkpoint("c1")},
                             .reservations = {Reservation("r2", {"10.77.0.5"})}}),
              testing::Refuses("RESERVATION_CONFLICT"));
  EXPECT_FALSE(store().GetCheckpoint("c1").value().has_value());
}

TEST_F(ReservationTest, OnlyTheNewestReleasedOnesAreKept) {
  std::vector<ReservationRow> rows;
  for (int number = 0; number < 1010; ++number) {
    rows.push_back(Reservation(HexId(number), {"10.77.0.5"}, "released"));
    rows.back().created_us = number;
  }
  ASSERT_THAT(store().Write({.reservations = rows}), testing::IsOk());
  EXPECT_THAT(store().MatchReservations(HexId(0)).value(), IsEmpty());
  EXPECT_THAT(store().MatchReservations(HexId(1009)).value(), SizeIs(1));
}

TEST_F(ReservationTest, NetworksAreKeptByNameAndHaveABridgeEach) {
  const NetworkRow web{.name = "web", .bridge = "br0", .subnets = "[]", .origin = "made"};
  NetworkRow other = web;
  other.name = "other";
  ASSERT_THAT(store().Write({.networks = {web}}), testing::IsOk());
  const auto refused = store().Write({.networks = {other}});
  ASSERT_THAT(refused, testing::Refuses("NETWORK_EXISTS"));
  EXPECT_THAT(refused.error().message, HasSubstr("'br0'"));
  other.bridge = "br1";
  ASSERT_THAT(store().Write({.networks = {other}}), testing::IsOk());
  EXPECT_THAT(store().ListNetworks().value(), ElementsAre(other, web));
  EXPECT_EQ(store().GetNetwork("other").value(), other);
  EXPECT_FALSE(store().GetNetwork("othe").value().has_value());
  ASSERT_THAT(store().Write({.deleted_networks = {"web"}}), testing::IsOk());
  EXPECT_THAT(store().ListNetworks().value(), ElementsAre(other));
}

}  // namespace
}  // namespace crd::store
