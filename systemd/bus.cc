#include "systemd/bus.h"

#include <string_view>

namespace crd::systemd {
namespace {

Code CodeOf(std::string_view name) {
  if (name == "org.freedesktop.systemd1.UnitExists") return Code::kAlreadyExists;
  if (name == "org.freedesktop.systemd1.NoUnitForPID") return Code::kNotFound;
  return Code::kFailedPrecondition;
}

}  // namespace

Error BusError(int returned, std::string_view what) { return Error::FromErrno(-returned, what); }

Result<Bus> OpenSystemBus() {
  sd_bus* opened = nullptr;
  if (const int returned = sd_bus_open_system(&opened); returned < 0) {
    return BusError(returned, "connect to the system bus");
  }
  return Bus(opened);
}

Result<Message> NewCall(const Bus& bus, const char* path, const char* interface,
                        const char* method) {
  sd_bus_message* made = nullptr;
  const int returned =
      sd_bus_message_new_method_call(bus.get(), &made, kManagerService, path, interface, method);
  if (returned < 0) return BusError(returned, "make a message for systemd");
  return Message(made);
}

Result<Message> Call(const Bus& bus, const Message& call, std::string_view what) {
  sd_bus_error error = SD_BUS_ERROR_NULL;
  sd_bus_message* answer = nullptr;
  const int returned = sd_bus_call(bus.get(), call.get(), 0, &error, &answer);
  Message owned(answer);
  if (returned >= 0) return owned;
  Error failed = BusError(returned, what);
  if (error.name != nullptr) {
    failed.code = CodeOf(error.name);
    failed.message =
        fmt::format("{}: {}", what, error.message == nullptr ? error.name : error.message);
  }
  sd_bus_error_free(&error);
  return failed;
}

}  // namespace crd::systemd
