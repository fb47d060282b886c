#pragma once

#include <api/v1/network.pb.h>

#include "client/session.h"
#include "daemon/base/result.h"

namespace crd::client {

// All pages of what the request asks for.
Result<v1::ListReservationsResponse> FetchReservations(Session& session,
                                                       v1::ListReservationsRequest request);

}  // namespace crd::client
