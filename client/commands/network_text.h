#pragma once

#include <string>

#include <api/v1/network.pb.h>

namespace crd::client {

// For people.
std::string Render(const v1::ListNetworksResponse& list);
std::string Render(const v1::ListReservationsResponse& list);
// One line: what a reservation is about and how it is kept.
std::string Summary(const v1::Reservation& reservation);

}  // namespace crd::client
