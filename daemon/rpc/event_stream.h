#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include "daemon/core/engine.h"
#include "daemon/core/errors.h"
#include "daemon/rpc/status.h"

namespace crd::rpc {

inline constexpr int kEventsAtOnce = 256;
// How long a client that has left keeps its thread.
inline constexpr std::chrono::milliseconds kClientPoll{250};

// Gives a client events on the calling thread. `Request` has the fields from_now, after_sequence
// and follow. The client learns from the initial metadata, before any event, where its stream
// begins. `render` makes an event a Message, or std::nullopt if it does not concern the client.
// Ends when everything is written or, with follow, with ClientLeft() or SHUTTING_DOWN.
template <typename Message, typename Request, typename Render>
Result<void> StreamEvents(Engine& engine, grpc::ServerContext& context, const Request& request,
                          grpc::ServerWriter<Message>& writer, const Render& render) {
  Inventory& inventory = engine.inventory();
  std::int64_t seen = request.from_now() ? inventory.events().last() : request.after_sequence();
  context.AddInitialMetadata("crd-after-sequence", std::to_string(seen));
  writer.SendInitialMetadata();
  for (;;) {
    const std::vector<Event> events = TRY(inventory.ListEvents(seen, kEventsAtOnce));
    for (const Event& event : events) {
      seen = event.sequence;
      const std::optional<Message> message = render(event);
      if (message.has_value() && !writer.Write(*message)) return ClientLeft();
    }
    if (context.IsCancelled()) return ClientLeft();
    if (events.size() == kEventsAtOnce) continue;
    if (!request.follow()) return {};
    if (engine.stopping()) return errors::ShuttingDown();
    inventory.events().WaitBeyond(seen, kClientPoll);
  }
}

}  // namespace crd::rpc
