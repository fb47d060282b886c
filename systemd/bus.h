#pragma once

#include <memory>

#include <systemd/sd-bus.h>

#include "daemon/base/result.h"

namespace crd::systemd {

// The system bus, and systemd's manager on it. For systemd/*.cc; any thread, one at a time.

struct BusCloser {
  void operator()(sd_bus* bus) const { sd_bus_flush_close_unref(bus); }
};
struct MessageCloser {
  void operator()(sd_bus_message* message) const { sd_bus_message_unref(message); }
};
using Bus = std::unique_ptr<sd_bus, BusCloser>;
using Message = std::unique_ptr<sd_bus_message, MessageCloser>;

inline constexpr const char* kManagerService = "org.freedesktop.systemd1";
inline constexpr const char* kManagerPath = "/org/freedesktop/systemd1";
inline constexpr const char* kManagerInterface = "org.freedesktop.systemd1.Manager";

Result<Bus> OpenSystemBus();

// What sd-bus returned, with what was attempted.
Error BusError(int returned, std::string_view what);

Result<Message> NewCall(const Bus& bus, const char* path, const char* interface,
                        const char* method);
// The answer. Fails with systemd's words: kAlreadyExists, kNotFound and so on as far as it tells.
Result<Message> Call(const Bus& bus, const Message& call, std::string_view what);

}  // namespace crd::systemd
