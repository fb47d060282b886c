#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <string_view>

#include "systemd/bus.h"
#include "systemd/scope.h"

namespace crd::systemd {
namespace {

constexpr const char* kScopeInterface = "org.freedesktop.systemd1.Scope";
constexpr const char* kUnitInterface = "org.freedesktop.systemd1.Unit";
constexpr std::uint64_t kUnset = std::numeric_limits<std::uint64_t>::max();

// What runtimes and engines set, and `systemctl set-property` (systemd.resource-control(5)); all
// others are states, or the same for every scope.
constexpr std::array<std::string_view, 30> kKept = {"Description",
                                                    "CollectMode",
                                                    "Slice",
                                                    "Delegate",
                                                    "TimeoutStopUSec",
                                                    "CPUAccounting",
                                                    "MemoryAccounting",
                                                    "IOAccounting",
                                                    "BlockIOAccounting",
                                                    "TasksAccounting",
                                                    "CPUWeight",
                                                    "CPUShares",
                                                    "CPUQuotaPerSecUSec",
                                                    "CPUQuotaPeriodUSec",
                                                    "AllowedCPUs",
                                                    "AllowedMemoryNodes",
                                                    "IOWeight",
                                                    "BlockIOWeight",
                                                    "MemoryMin",
                                                    "MemoryLow",
                                                    "MemoryHigh",
                                                    "MemoryMax",
                                                    "MemorySwapMax",
                                                    "MemoryLimit",
                                                    "TasksMax",
                                                    "DevicePolicy",
                                                    "DeviceAllow",
                                                    "ManagedOOMSwap",
                                                    "ManagedOOMMemoryPressure",
                                                    "ManagedOOMPreference"};

bool IsKept(std::string_view name) {
  return std::find(kKept.begin(), kKept.end(), name) != kKept.end();
}

// As systemd shows what nobody has set.
bool IsDefault(std::string_view name, const PropertyValue& value) {
  if (const auto* number = std::get_if<std::uint64_t>(&value)) {
    const bool floor = name == "MemoryMin" || name == "MemoryLow";
    return *number == (floor ? 0 : kUnset);
  }
  if (const auto* text = std::get_if<std::string>(&value)) return text->empty() || *text == "auto";
  if (const auto* bytes = std::get_if<std::vector<std::uint8_t>>(&value)) return bytes->empty();
  const auto* pairs = std::get_if<std::vector<std::pair<std::string, std::string>>>(&value);
  return pairs != nullptr && pairs->empty();
}

int ReadPairs(sd_bus_message* message, PropertyValue& value) {
  std::vector<std::pair<std::string, std::string>> pairs;
  int returned = sd_bus_message_enter_container(message, 'a', "(ss)");
  const char* first = nullptr;
  const char* second = nullptr;
  while (returned >= 0 && (returned = sd_bus_message_read(message, "(ss)", &first, &second)) > 0) {
    pairs.emplace_back(first, second);
  }
  // Devices are shown in the order opposite to that in which they were set (systemd 252).
  std::reverse(pairs.begin(), pairs.end());
  value = std::move(pairs);
  return returned < 0 ? returned : sd_bus_message_exit_container(message);
}

// What a variant holds; 0 if it is of a type that no property that is kept has.
int ReadValue(sd_bus_message* message, std::string_view type, PropertyValue& value) {
  int flag = 0;
  std::uint64_t number = 0;
  const char* text = nullptr;
  const void* bytes = nullptr;
  std::size_t size = 0;
  int returned = 0;
  if (type == "b") {
    returned = sd_bus_message_read_basic(message, 'b', &flag);
    value = flag != 0;
  } else if (type == "t") {
    returned = sd_bus_message_read_basic(message, 't', &number);
    value = number;
  } else if (type == "s") {
    returned = sd_bus_message_read_basic(message, 's', &text);
    value = std::string(text == nullptr ? "" : text);
  } else if (type == "ay") {
    returned = sd_bus_message_read_array(message, 'y', &bytes, &size);
    const auto* begin = static_cast<const std::uint8_t*>(bytes);
    value = std::vector<std::uint8_t>(begin, begin + size);
  } else if (type == "a(ss)") {
    returned = ReadPairs(message, value);
    if (returned >= 0) returned = 1;
  }
  return returned;
}

int ReadOne(sd_bus_message* message, std::vector<ScopeProperty>& properties) {
  const char* name = nullptr;
  int returned = sd_bus_message_read_basic(message, 's', &name);
  if (returned < 0) return returned;
  ScopeProperty property{.name = name, .value = false};
  if (!IsKept(property.name)) return sd_bus_message_skip(message, "v");
  const char* contents = nullptr;
  returned = sd_bus_message_peek_type(message, nullptr, &contents);
  if (returned < 0) return returned;
  const std::string type = contents;
  returned = sd_bus_message_enter_container(message, 'v', type.c_str());
  if (returned < 0) return returned;
  returned = ReadValue(message, type, property.value);
  if (returned == 0) returned = sd_bus_message_skip(message, type.c_str());
  if (returned < 0) return returned;
  if (returned > 0 && !IsDefault(property.name, property.value)) {
    properties.push_back(std::move(property));
  }
  return sd_bus_message_exit_container(message);
}

Result<void> ReadAll(const Bus& bus, const char* path, const char* interface,
                     std::vector<ScopeProperty>& properties) {
  const Message call = TRY(NewCall(bus, path, "org.freedesktop.DBus.Properties", "GetAll"));
  int returned = sd_bus_message_append(call.get(), "s", interface);
  if (returned < 0) return BusError(returned, "ask for a scope's properties");
  const Message answer = TRY(Call(bus, call, "ask for a scope's properties"));
  returned = sd_bus_message_enter_container(answer.get(), 'a', "{sv}");
  while (returned >= 0 &&
         (returned = sd_bus_message_enter_container(answer.get(), 'e', "sv")) > 0) {
    returned = ReadOne(answer.get(), properties);
    if (returned >= 0) returned = sd_bus_message_exit_container(answer.get());
  }
  if (returned < 0) return BusError(returned, "read a scope's properties");
  return {};
}

Result<std::string> ReadText(const Bus& bus, const char* path, const char* interface,
                             const char* name) {
  char* text = nullptr;
  sd_bus_error error = SD_BUS_ERROR_NULL;
  const int returned =
      sd_bus_get_property_string(bus.get(), kManagerService, path, interface, name, &error, &text);
  sd_bus_error_free(&error);
  if (returned < 0) return BusError(returned, fmt::format("ask systemd for '{}'", name));
  std::string copy(text);
  std::free(text);
  return copy;
}

// What a scope has of whom nobody has said how many tasks it may have.
Result<std::uint64_t> DefaultTasks(const Bus& bus) {
  std::uint64_t tasks = 0;
  sd_bus_error error = SD_BUS_ERROR_NULL;
  const int returned =
      sd_bus_get_property_trivial(bus.get(), kManagerService, kManagerPath, kManagerInterface,
                                  "DefaultTasksMax", &error, 't', &tasks);
  sd_bus_error_free(&error);
  if (returned < 0) return BusError(returned, "ask systemd for its DefaultTasksMax");
  return tasks;
}

}  // namespace

Result<std::optional<Scope>> FindScope(pid_t pid) {
  const Bus bus = TRY(OpenSystemBus());
  const std::string what = fmt::format("ask systemd for the unit of process {}", pid);
  const Message call = TRY(NewCall(bus, kManagerPath, kManagerInterface, "GetUnitByPID"));
  int returned = sd_bus_message_append(call.get(), "u", static_cast<std::uint32_t>(pid));
  if (returned < 0) return BusError(returned, what);
  const Message answer = TRY(Call(bus, call, what));
  const char* path = nullptr;
  returned = sd_bus_message_read(answer.get(), "o", &path);
  if (returned < 0) return BusError(returned, what);
  Scope scope{.name = TRY(ReadText(bus, path, kUnitInterface, "Id")), .properties = {}};
  if (!scope.name.ends_with(".scope")) return std::optional<Scope>();
  TRY(ReadAll(bus, path, kUnitInterface, scope.properties));
  TRY(ReadAll(bus, path, kScopeInterface, scope.properties));
  std::erase(scope.properties, ScopeProperty{.name = "TasksMax", .value = TRY(DefaultTasks(bus))});
  return std::optional(std::move(scope));
}

}  // namespace crd::systemd
