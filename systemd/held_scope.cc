#include <algorithm>
#include <chrono>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

#include "systemd/bus.h"
#include "systemd/scope.h"

namespace crd::systemd {
namespace {

// Rather than to take the place of another job of a unit of that name.
constexpr const char* kMode = "fail";
constexpr auto kGoes = std::chrono::seconds(5);
constexpr auto kLookAgain = std::chrono::milliseconds(20);

int AppendVariant(sd_bus_message* message, const PropertyValue& value) {
  if (const auto* flag = std::get_if<bool>(&value)) {
    return sd_bus_message_append(message, "v", "b", static_cast<int>(*flag));
  }
  if (const auto* number = std::get_if<std::uint64_t>(&value)) {
    return sd_bus_message_append(message, "v", "t", *number);
  }
  if (const auto* text = std::get_if<std::string>(&value)) {
    return sd_bus_message_append(message, "v", "s", text->c_str());
  }
  const auto* bytes = std::get_if<std::vector<std::uint8_t>>(&value);
  int returned = sd_bus_message_open_container(message, 'v', bytes != nullptr ? "ay" : "a(ss)");
  if (returned < 0) return returned;
  if (bytes != nullptr) {
    returned = sd_bus_message_append_array(message, 'y', bytes->data(), bytes->size());
    return returned < 0 ? returned : sd_bus_message_close_container(message);
  }
  returned = sd_bus_message_open_container(message, 'a', "(ss)");
  for (const auto& [first, second] :
       std::get<std::vector<std::pair<std::string, std::string>>>(value)) {
    if (returned < 0) return returned;
    returned = sd_bus_message_append(message, "(ss)", first.c_str(), second.c_str());
  }
  if (returned >= 0) returned = sd_bus_message_close_container(message);
  return returned < 0 ? returned : sd_bus_message_close_container(message);
}

int AppendProperty(sd_bus_message* message, const ScopeProperty& property) {
  int returned = sd_bus_message_open_container(message, 'r', "sv");
  if (returned >= 0) returned = sd_bus_message_append(message, "s", property.name.c_str());
  if (returned >= 0) returned = AppendVariant(message, property.value);
  return returned < 0 ? returned : sd_bus_message_close_container(message);
}

// Arguments of StartTransientUnit.
int AppendScope(sd_bus_message* message, const Scope& scope, pid_t keeper) {
  int returned = sd_bus_message_append(message, "ss", scope.name.c_str(), kMode);
  if (returned >= 0) returned = sd_bus_message_open_container(message, 'a', "(sv)");
  for (const ScopeProperty& property : scope.properties) {
    if (returned >= 0) returned = AppendProperty(message, property);
  }
  if (returned >= 0) {
    // As the runtimes have it: what is in it does not end with the boot's targets.
    returned = AppendProperty(message, {.name = "DefaultDependencies", .value = false});
  }
  if (returned >= 0) {
    returned =
        sd_bus_message_append(message, "(sv)", "PIDs", "au", 1, static_cast<std::uint32_t>(keeper));
  }
  if (returned >= 0) returned = sd_bus_message_close_container(message);
  return returned < 0 ? returned : sd_bus_message_append(message, "a(sa(sv))", 0);
}

// A job of systemd's that somebody waits for. It may end before its path is known.
struct Job {
  std::string path;
  std::vector<std::pair<std::string, std::string>> ended;  // path and result

  [[nodiscard]] const std::string* FindResult() const {
    for (const auto& [one, result] : ended) {
      if (one == path) return &result;
    }
    return nullptr;
  }
};

int OnJobRemoved(sd_bus_message* message, void* job, sd_bus_error*) {
  std::uint32_t id = 0;
  const char* path = nullptr;
  const char* unit = nullptr;
  const char* result = nullptr;
  if (sd_bus_message_read(message, "uoss", &id, &path, &unit, &result) >= 0) {
    static_cast<Job*>(job)->ended.emplace_back(path, result);
  }
  return 0;
}

Result<void> Await(const Bus& bus, const Job& job, std::string_view what, Deadline deadline) {
  while (job.FindResult() == nullptr) {
    const auto left = std::chrono::ceil<std::chrono::microseconds>(deadline - SteadyClock::now());
    if (left.count() <= 0) {
      return Error{.code = Code::kDeadlineExceeded,
                   .message = fmt::format("{}: systemd has not done it in time", what)};
    }
    int returned = sd_bus_process(bus.get(), nullptr);
    if (returned == 0) returned = sd_bus_wait(bus.get(), static_cast<std::uint64_t>(left.count()));
    if (returned < 0 && returned != -EINTR) return BusError(returned, what);
  }
  if (*job.FindResult() == "done") return {};
  return Error{.code = Code::kFailedPrecondition,
               .message = fmt::format("{}: systemd says that it {}", what, *job.FindResult())};
}

// One whose last process has just ended systemd removes in its own time.
Result<Message> AskToStart(const Bus& bus, const Scope& scope, pid_t keeper, std::string_view what,
                           Deadline until_old_has_gone) {
  for (;;) {
    const Message call = TRY(NewCall(bus, kManagerPath, kManagerInterface, "StartTransientUnit"));
    const int returned = AppendScope(call.get(), scope, keeper);
    if (returned < 0) return BusError(returned, what);
    auto answer = Call(bus, call, what);
    const bool may_go = !answer.ok() && answer.error().code == Code::kAlreadyExists;
    if (!may_go || SteadyClock::now() >= until_old_has_gone) return answer;
    std::this_thread::sleep_for(kLookAgain);
  }
}

Result<void> StartWith(const Scope& scope, pid_t keeper, Deadline deadline) {
  const std::string what = fmt::format("start scope '{}'", scope.name);
  const Bus bus = TRY(OpenSystemBus());
  // Before the job exists, so that its end is not missed. A broken connection shows at the next
  // step.
  Job job;
  int returned = sd_bus_match_signal(bus.get(), nullptr, kManagerService, kManagerPath,
                                     kManagerInterface, "JobRemoved", OnJobRemoved, &job);
  if (returned < 0) return BusError(returned, what);
  TRY(Call(bus, TRY(NewCall(bus, kManagerPath, kManagerInterface, "Subscribe")), what));
  const Message answer =
      TRY(AskToStart(bus, scope, keeper, what, std::min(deadline, SteadyClock::now() + kGoes)));
  const char* path = nullptr;
  returned = sd_bus_message_read(answer.get(), "o", &path);
  if (returned < 0) return BusError(returned, what);
  job.path = path;
  return Await(bus, job, what, deadline);
}

}  // namespace

Result<HeldScope> HeldScope::Start(const Scope& scope, Children& children, Deadline deadline) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Error::Errno("make a pipe");
  const UniqueFd out(ends[0]);
  UniqueFd in(ends[1]);
  const UniqueFd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  if (!null.valid()) return Error::Errno("open /dev/null");
  Child keeper =
      TRY(children.Launch({.argv = {"/bin/cat"},
                           .descriptors = {{out.ref(), 0}, {null.ref(), 1}, {null.ref(), 2}},
                           .new_session = true}));
  TRY(StartWith(scope, keeper.pid(), deadline));
  return HeldScope(std::move(in), std::move(keeper));
}

}  // namespace crd::systemd
