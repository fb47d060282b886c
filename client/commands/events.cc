#include <charconv>
#include <cstdint>
#include <memory>
#include <optional>

#include <api/v1/services.grpc.pb.h>
#include <fmt/format.h>

#include "client/commands/commands.h"
#include "client/exit_codes.h"
#include "client/json.h"
#include "client/printable.h"
#include "client/wall_time.h"

namespace crd::client {
namespace {

struct Args {
  bool follow = false;
  std::optional<std::int64_t> since;
};

std::string Line(const v1::Event& event) {
  std::string line =
      fmt::format("{:>6}  {}  {:<10}  {:<16}  {}", event.sequence(), FormatTime(event.time_us()),
                  event.subject(), event.id(), event.change());
  if (!event.detail().empty()) line += "  " + event.detail();
  return Printable(line);
}

// Where a stream that began with what happens from now on began: there a repetition has to begin,
// too.
std::int64_t BeginOf(const grpc::ClientContext& context) {
  const auto& headers = context.GetServerInitialMetadata();
  const auto header = headers.find("crd-after-sequence");
  std::int64_t sequence = -1;
  if (header != headers.end())
    std::from_chars(header->second.begin(), header->second.end(), sequence);
  return sequence;
}

Result<int> Run(Session& session, const Args& args) {
  v1::WatchRequest request;
  request.set_follow(args.follow);
  request.set_after_sequence(args.since.value_or(0));
  request.set_from_now(args.follow && !args.since);
  const std::function<bool(const v1::Event&)> take = [&](const v1::Event& event) {
    session.out().Line(session.settings().json ? ToJson(event) : Line(event));
    request.set_after_sequence(event.sequence());
    return session.out().failure() == 0;
  };
  CallOptions options = session.Limited();
  options.repeat = true;
  if (args.follow) options.patience = kLongReconnectPatience;
  options.on_headers = [&](const grpc::ClientContext& context) {
    const std::int64_t begin = BeginOf(context);
    if (!request.from_now() || begin < 0) return;
    request.set_from_now(false);
    request.set_after_sequence(begin);
  };
  TRY(session.Stream(&v1::ListService::Stub::Watch, request, take, options));
  return kDone;
}

}  // namespace

void AddEvents(CLI::App& app, Command& chosen) {
  auto args = std::make_shared<Args>();
  app.add_flag("-f,--follow", args->follow, "Go on with what happens, from now on or after SEQ");
  app.add_option("--since", args->since, "Only what came after the event of this number")
      ->check(CLI::NonNegativeNumber)
      ->option_text("SEQ");
  app.footer(
      "Prints number, time, kind of object, id, new state and details, one event a line. Without\n"
      "options: all that crd remembers.\n\n"
      "Examples:\n"
      "  crctl events\n"
      "  crctl events --follow --json\n"
      "  crctl events --follow --since 0");
  app.callback(
      [args, &chosen] { chosen = [args](Session& session) { return Run(session, *args); }; });
}

}  // namespace crd::client
