#include "client/commands/reservations.h"

#include <api/v1/network.grpc.pb.h>

namespace crd::client {

Result<v1::ListReservationsResponse> FetchReservations(Session& session,
                                                       v1::ListReservationsRequest request) {
  v1::ListReservationsResponse whole;
  do {
    const auto page =
        TRY(session.Call(&v1::NetworkService::Stub::ListReservations, request, session.Limited()));
    whole.MergeFrom(page);
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  whole.clear_next_page_token();
  return whole;
}

}  // namespace crd::client
