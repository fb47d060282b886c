#include "daemon/rpc/list_service.h"

#include "daemon/rpc/convert.h"
#include "daemon/rpc/event_stream.h"
#include "daemon/rpc/operation_views.h"
#include "daemon/rpc/parse.h"

namespace crd::rpc {
namespace {

// What a list without `all` shows. Empty means every state.
std::vector<CheckpointState> CheckpointStates(bool all) {
  if (all) return {};
  return {CheckpointState::kCreating, CheckpointState::kReady, CheckpointState::kDamaged,
          CheckpointState::kDeleting};
}

std::vector<ContainerState> ContainerStates(bool all) {
  if (all) return {};
  return {ContainerState::kRunning, ContainerState::kCheckpointing, ContainerState::kRestoring};
}

v1::Operation Render(const OperationView& view) {
  v1::Operation message = ToProto(view.record);
  if (view.progress.has_value()) {
    *message.mutable_progress() = ToProto(view.record.id, *view.progress);
  }
  return message;
}

}  // namespace

grpc::Status ListService::ListCheckpoints(grpc::ServerContext* context,
                                          const v1::ListRequest* request,
                                          v1::ListCheckpointsResponse* response) {
  return calls_.Query(*context, "ListService.ListCheckpoints", [&]() -> Result<void> {
    auto page =
        TRY(engine_.ListCheckpoints(request->page_token(), ParsePageSize(request->page_size()),
                                    CheckpointStates(request->all())));
    for (const CheckpointRecord& record : page.records) {
      *response->add_checkpoints() = ToProto(record, engine_.CheckpointDirectory(record.id));
    }
    response->set_next_page_token(std::move(page.next_token));
    return {};
  });
}

grpc::Status ListService::GetCheckpoint(grpc::ServerContext* context, const v1::GetRequest* request,
                                        v1::Checkpoint* response) {
  return calls_.Query(*context, "ListService.GetCheckpoint", [&]() -> Result<void> {
    const std::string key = TRY(ParseKey("checkpoint", request->key()));
    const CheckpointRecord record = TRY(engine_.FindCheckpoint(key));
    *response = ToProto(record, engine_.CheckpointDirectory(record.id));
    if (const auto manifest = engine_.FindManifest(record.id)) {
      if (manifest->network) *response->mutable_network() = ToProto(*manifest->network);
      for (const OpenSocket& socket : manifest->sockets) *response->add_sockets() = ToProto(socket);
      if (const auto layer = manifest->Layer()) *response->mutable_rootfs_diff() = ToProto(*layer);
    }
    for (const auto& held : TRY(engine_.inventory().ListReservationsOf(record.id))) {
      if (IsLive(held.state)) *response->add_reservations() = ToProto(held);
    }
    for (const ContainerId& id : TRY(engine_.inventory().ListRestores(record.id))) {
      response->add_restored_container_ids(id.str());
    }
    return {};
  });
}

grpc::Status ListService::ListContainers(grpc::ServerContext* context,
                                         const v1::ListRequest* request,
                                         v1::ListContainersResponse* response) {
  return calls_.Query(*context, "ListService.ListContainers", [&]() -> Result<void> {
    auto page = TRY(engine_.inventory().ListContainers(request->page_token(),
                                                       ParsePageSize(request->page_size()),
                                                       ContainerStates(request->all())));
    for (const ContainerRecord& record : page.records) {
      *response->add_containers() = ToProto(record);
    }
    response->set_next_page_token(std::move(page.next_token));
    return {};
  });
}

grpc::Status ListService::GetContainer(grpc::ServerContext* context, const v1::GetRequest* request,
                                       v1::Container* response) {
  return calls_.Query(*context, "ListService.GetContainer", [&]() -> Result<void> {
    const std::string key = TRY(ParseKey("container", request->key()));
    *response = ToProto(TRY(engine_.inventory().FindContainer(key)));
    return {};
  });
}

grpc::Status ListService::ListOperations(grpc::ServerContext* context,
                                         const v1::ListRequest* request,
                                         v1::ListOperationsResponse* response) {
  return calls_.Query(*context, "ListService.ListOperations", [&]() -> Result<void> {
    auto page = TRY(rpc::ListOperations(engine_, request->page_token(),
                                        ParsePageSize(request->page_size()), request->all()));
    for (const OperationView& view : page.records) *response->add_operations() = Render(view);
    response->set_next_page_token(std::move(page.next_token));
    return {};
  });
}

grpc::Status ListService::GetOperation(grpc::ServerContext* context, const v1::GetRequest* request,
                                       v1::Operation* response) {
  return calls_.Query(*context, "ListService.GetOperation", [&]() -> Result<void> {
    const std::string key = TRY(ParseKey("operation", request->key()));
    *response = Render(TRY(FindOperation(engine_, key)));
    return {};
  });
}

grpc::Status ListService::ListRuntimeContainers(grpc::ServerContext* context,
                                                const v1::ListRuntimeContainersRequest* request,
                                                v1::ListRuntimeContainersResponse* response) {
  return calls_.Query(*context, "ListService.ListRuntimeContainers", [&]() -> Result<void> {
    const RuntimeContainers found = engine_.ListRuntimeContainers(TRY(Parse(*request)));
    for (const RuntimeContainer& container : found.containers) {
      *response->add_containers() = ToProto(container);
    }
    for (const Error& problem : found.problems) *response->add_problems() = ToProto(problem);
    return {};
  });
}

grpc::Status ListService::Watch(grpc::ServerContext* context, const v1::WatchRequest* request,
                                grpc::ServerWriter<v1::Event>* writer) {
  return calls_.Query(*context, "ListService.Watch", [&]() -> Result<void> {
    return StreamEvents(engine_, *context, *request, *writer,
                        [](const Event& event) { return std::optional(ToProto(event)); });
  });
}

}  // namespace crd::rpc
