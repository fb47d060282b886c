#include "daemon/rpc/container_service.h"

#include <chrono>

#include "daemon/core/errors.h"
#include "daemon/rpc/convert.h"
#include "daemon/rpc/parse.h"
#include "daemon/rpc/status.h"

namespace crd::rpc {
namespace {

// How long a client that has left keeps its thread.
constexpr auto kPoll = std::chrono::milliseconds(250);

Result<ContainerRecord> AwaitEnd(Engine& engine, const std::string& key,
                                 const grpc::ServerContext& context) {
  Inventory& inventory = engine.inventory();
  // By id from now on: a name may come to mean another container.
  const ContainerId id = TRY(inventory.FindContainer(key)).id;
  for (;;) {
    const std::int64_t seen = inventory.events().last();
    ContainerRecord record = TRY(inventory.FindContainer(id.str()));
    if (!IsLive(record.state)) return record;
    if (context.IsCancelled()) return ClientLeft();
    if (engine.stopping()) return errors::ShuttingDown();
    inventory.events().WaitBeyond(seen, kPoll);
  }
}

}  // namespace

grpc::Status ContainerService::Wait(grpc::ServerContext* context, const v1::WaitRequest* request,
                                    v1::Container* response) {
  return calls_.Query(*context, "ContainerService.Wait", [&]() -> Result<void> {
    const std::string key = TRY(ParseKey("container", request->container()));
    *response = ToProto(TRY(AwaitEnd(engine_, key, *context)));
    return {};
  });
}

grpc::Status ContainerService::Signal(grpc::ServerContext* context,
                                      const v1::SignalRequest* request,
                                      v1::SignalResponse* /*response*/) {
  return calls_.Change(*context, "ContainerService.Signal", [&]() -> Result<void> {
    const std::string key = TRY(ParseKey("container", request->container()));
    return engine_.SignalContainer(key, TRY(ParseSignal(request->signal())));
  });
}

grpc::Status ContainerService::Forget(grpc::ServerContext* context,
                                      const v1::ForgetRequest* request,
                                      v1::ForgetResponse* /*response*/) {
  return calls_.Change(*context, "ContainerService.Forget", [&]() -> Result<void> {
    const std::string key = TRY(ParseKey("container", request->container()));
    TRY(ParseRequestId(request->request_id()));
    return engine_.ForgetContainer(key);
  });
}

}  // namespace crd::rpc
