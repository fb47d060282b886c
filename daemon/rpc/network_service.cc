#include "daemon/rpc/network_service.h"

#include "daemon/rpc/convert.h"
#include "daemon/rpc/event_stream.h"
#include "daemon/rpc/parse.h"

namespace crd::rpc {
namespace {

std::vector<ReservationState> ReservationStates(bool all) {
  if (all) return {};
  return {ReservationState::kActive, ReservationState::kHeld};
}

v1::Obstacle ToObstacle(const Error& error) {
  v1::Obstacle message;
  message.set_reason(error.reason);
  message.set_message(error.message);
  message.set_hint(error.hint);
  return message;
}

// Nothing where the event is about something else.
std::optional<v1::NetworkEvent> ToNetworkEvent(Inventory& inventory, const Event& event,
                                               const std::string& network) {
  v1::NetworkEvent message;
  *message.mutable_event() = ToProto(event);
  if (event.subject == "network") {
    if (!network.empty() && event.id != network) return std::nullopt;
    return message;
  }
  if (event.subject != "reservation") return std::nullopt;
  const auto now = inventory.FindReservation(event.id);
  if (now.ok()) *message.mutable_reservation() = ToProto(*now);
  if (!network.empty() && (!now.ok() || now->network != network)) return std::nullopt;
  return message;
}

}  // namespace

grpc::Status NetworkService::ListNetworks(grpc::ServerContext* context,
                                          const v1::ListNetworksRequest* /*request*/,
                                          v1::ListNetworksResponse* response) {
  return calls_.Query(*context, "NetworkService.ListNetworks", [&]() -> Result<void> {
    for (const NetworkRecord& record : TRY(engine_.networks().List()))
      *response->add_networks() = ToProto(record);
    return {};
  });
}

grpc::Status NetworkService::CreateNetwork(grpc::ServerContext* context,
                                           const v1::CreateNetworkRequest* request,
                                           v1::BridgeNetwork* response) {
  return calls_.Change(*context, "NetworkService.CreateNetwork", [&]() -> Result<void> {
    *response = ToProto(TRY(engine_.networks().Create(TRY(Parse(*request)))));
    return {};
  });
}

grpc::Status NetworkService::RemoveNetwork(grpc::ServerContext* context,
                                           const v1::RemoveNetworkRequest* request,
                                           v1::RemoveNetworkResponse* /*response*/) {
  return calls_.Change(*context, "NetworkService.RemoveNetwork", [&]() -> Result<void> {
    TRY(ParseRequestId(request->request_id()));
    return engine_.networks().Remove(TRY(ParseKey("network", request->network())));
  });
}

grpc::Status NetworkService::ListReservations(grpc::ServerContext* context,
                                              const v1::ListReservationsRequest* request,
                                              v1::ListReservationsResponse* response) {
  return calls_.Query(*context, "NetworkService.ListReservations", [&]() -> Result<void> {
    if (!request->network().empty()) TRY(engine_.networks().Find(request->network()));
    auto page = TRY(engine_.inventory().ListReservations(request->page_token(),
                                                         ParsePageSize(request->page_size()),
                                                         ReservationStates(request->all())));
    for (const ReservationRecord& record : page.records) {
      if (!request->network().empty() && record.network != request->network()) continue;
      *response->add_reservations() = ToProto(record);
    }
    response->set_next_page_token(std::move(page.next_token));
    return {};
  });
}

grpc::Status NetworkService::Reserve(grpc::ServerContext* context,
                                     const v1::ReserveRequest* request, v1::Reservation* response) {
  return calls_.Change(*context, "NetworkService.Reserve", [&]() -> Result<void> {
    *response = ToProto(TRY(engine_.reservations().Reserve(TRY(Parse(*request)))));
    return {};
  });
}

grpc::Status NetworkService::Release(grpc::ServerContext* context,
                                     const v1::ReleaseRequest* request, v1::Reservation* response) {
  return calls_.Change(*context, "NetworkService.Release", [&]() -> Result<void> {
    TRY(ParseRequestId(request->request_id()));
    const std::string key = TRY(ParseKey("reservation", request->reservation()));
    *response = ToProto(TRY(engine_.ReleaseReservation(key, request->network())));
    return {};
  });
}

grpc::Status NetworkService::CheckAddress(grpc::ServerContext* context,
                                          const v1::CheckAddressRequest* request,
                                          v1::CheckAddressResponse* response) {
  return calls_.Query(*context, "NetworkService.CheckAddress", [&]() -> Result<void> {
    const std::string network = TRY(ParseKey("network", request->network()));
    const auto answer = TRY(engine_.reservations().CheckAddress(network, request->address()));
    response->set_free(!answer.why_not.has_value());
    if (answer.why_not) *response->mutable_obstacle() = ToObstacle(*answer.why_not);
    if (answer.holder) *response->mutable_holder() = ToProto(*answer.holder);
    return {};
  });
}

grpc::Status NetworkService::FreeAddress(grpc::ServerContext* context,
                                         const v1::FreeAddressRequest* request,
                                         v1::FreeAddressResponse* response) {
  return calls_.Query(*context, "NetworkService.FreeAddress", [&]() -> Result<void> {
    const std::string name = TRY(ParseKey("network", request->network()));
    const NetworkRecord network = TRY(engine_.networks().Find(name));
    for (std::string& address : TRY(engine_.reservations().FreeAddresses(network)))
      response->add_addresses(std::move(address));
    return {};
  });
}

grpc::Status NetworkService::Watch(grpc::ServerContext* context,
                                   const v1::WatchNetworksRequest* request,
                                   grpc::ServerWriter<v1::NetworkEvent>* writer) {
  return calls_.Query(*context, "NetworkService.Watch", [&]() -> Result<void> {
    return StreamEvents(engine_, *context, *request, *writer, [&](const Event& event) {
      return ToNetworkEvent(engine_.inventory(), event, request->network());
    });
  });
}

}  // namespace crd::rpc
