#pragma once

#include <api/v1/network.grpc.pb.h>

#include "daemon/core/engine.h"
#include "daemon/rpc/call_log.h"

namespace crd::rpc {

class NetworkService final : public v1::NetworkService::Service {
 public:
  NetworkService(Engine& engine, const CallLog& calls) : engine_(engine), calls_(calls) {}

  grpc::Status ListNetworks(grpc::ServerContext* context, const v1::ListNetworksRequest* request,
                            v1::ListNetworksResponse* response) override;
  grpc::Status CreateNetwork(grpc::ServerContext* context, const v1::CreateNetworkRequest* request,
                             v1::BridgeNetwork* response) override;
  grpc::Status RemoveNetwork(grpc::ServerContext* context, const v1::RemoveNetworkRequest* request,
                             v1::RemoveNetworkResponse* response) override;
  grpc::Status ListReservations(grpc::ServerContext* context,
                                const v1::ListReservationsRequest* request,
                                v1::ListReservationsResponse* response) override;
  grpc::Status Reserve(grpc::ServerContext* context, const v1::ReserveRequest* request,
                       v1::Reservation* response) override;
  grpc::Status Release(grpc::ServerContext* context, const v1::ReleaseRequest* request,
                       v1::Reservation* response) override;
  grpc::Status CheckAddress(grpc::ServerContext* context, const v1::CheckAddressRequest* request,
                            v1::CheckAddressResponse* response) override;
  grpc::Status FreeAddress(grpc::ServerContext* context, const v1::FreeAddressRequest* request,
                           v1::FreeAddressResponse* response) override;
  // Sends the headers first, as ListService::Watch.
  grpc::Status Watch(grpc::ServerContext* context, const v1::WatchNetworksRequest* request,
                     grpc::ServerWriter<v1::NetworkEvent>* writer) override;

 private:
  Engine& engine_;
  const CallLog& calls_;
};

}  // namespace crd::rpc
