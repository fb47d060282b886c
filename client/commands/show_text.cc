#include "client/commands/show_text.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "client/commands/dump_flags.h"
#include "client/commands/exit_status.h"
#include "client/commands/network_text.h"
#include "client/commands/state_names.h"
#include "client/duration.h"
#include "client/size.h"
#include "client/table.h"
#include "client/wall_time.h"

namespace crd::client {
namespace {

std::string When(WallMicros time) { return time == 0 ? "" : FormatTime(time); }

std::vector<std::string> Stages(const v1::Checkpoint& checkpoint) {
  std::vector<std::string> lines;
  for (const v1::StageTime& stage : checkpoint.stages()) {
    lines.push_back(fmt::format("{} {}", stage.stage(), FormatDuration(stage.micros())));
  }
  return lines;
}

std::vector<std::string> Statistics(const v1::DumpStatistics& statistics) {
  if (statistics.frozen_us() == 0) return {};
  return {fmt::format("frozen for {} ({} to freeze it)", FormatDuration(statistics.frozen_us()),
                      FormatDuration(statistics.freezing_us())),
          fmt::format("memory dumped in {}, written in {}", FormatDuration(statistics.memdump_us()),
                      FormatDuration(statistics.memwrite_us())),
          fmt::format("{} pages scanned, {} written", statistics.pages_scanned(),
                      statistics.pages_written())};
}

std::vector<std::string> Sockets(const v1::Checkpoint& checkpoint) {
  constexpr int kShown = 20;
  std::vector<std::string> lines;
  for (const v1::OpenSocket& socket : checkpoint.sockets()) {
    if (lines.size() == kShown) {
      lines.push_back(
          fmt::format("and {} more (--json shows all)", checkpoint.sockets_size() - kShown));
      break;
    }
    std::string line = socket.protocol();
    if (!socket.local().empty()) line += " " + socket.local();
    if (!socket.peer().empty()) line += " -> " + socket.peer();
    if (!socket.state().empty()) line += " " + socket.state();
    lines.push_back(fmt::format("{} (process {})", line, socket.pid()));
  }
  return lines;
}

std::vector<std::string> Network(const v1::Network& network) {
  std::vector<std::string> lines;
  for (const v1::NetworkInterface& interface : network.interfaces()) {
    std::string line =
        fmt::format("{} ({}{}", interface.name(), interface.kind(), interface.up() ? "" : ", down");
    if (!interface.mac().empty()) line += ", " + interface.mac();
    line += ")";
    for (const v1::NetworkAddress& address : interface.addresses()) line += " " + address.address();
    if (!interface.host_name().empty()) line += ", on the host " + interface.host_name();
    if (!interface.bridge().empty()) line += " in bridge " + interface.bridge();
    if (!interface.parent().empty()) line += ", on " + interface.parent();
    lines.push_back(std::move(line));
  }
  for (const v1::NetworkRoute& route : network.routes()) {
    std::string line = "route " + route.destination();
    if (!route.gateway().empty()) line += " via " + route.gateway();
    if (!route.interface().empty()) line += " on " + route.interface();
    lines.push_back(std::move(line));
  }
  for (const auto& [path, value] :
       std::map<std::string, std::string>(network.sysctls().begin(), network.sysctls().end())) {
    lines.push_back(fmt::format("{} = {}", path, value));
  }
  return lines;
}

}  // namespace

std::string Describe(const v1::Checkpoint& checkpoint) {
  Details details;
  details.Add("checkpoint", checkpoint.id());
  details.Add("name", checkpoint.name());
  details.Add("state", StateName(checkpoint.state()));
  details.Add("problem", checkpoint.problem());
  details.Add("command", checkpoint.command());
  details.Add("pid", std::to_string(checkpoint.pid()));
  details.Add("processes", std::to_string(checkpoint.processes()));
  details.Add("container", checkpoint.container_id());
  details.Add("created", When(checkpoint.created_us()));
  details.Add("ready", When(checkpoint.ready_us()));
  details.Add("size", FormatSize(checkpoint.size_bytes()));
  details.Add("directory", checkpoint.directory());
  details.Add("options", fmt::format("{}", fmt::join(DumpFlags(checkpoint.options()), " ")));
  if (checkpoint.has_rootfs_diff()) {
    const v1::RootfsDiff& diff = checkpoint.rootfs_diff();
    details.Add("rootfs diff", fmt::format("{}, {}", FormatSize(diff.size_bytes()),
                                           diff.base().empty() ? "what its overlay held"
                                                               : "against " + diff.base()));
  }
  details.Add("network", Network(checkpoint.network()));
  std::vector<std::string> reservations;
  for (const v1::Reservation& reservation : checkpoint.reservations())
    reservations.push_back(Summary(reservation));
  details.Add("reserved", reservations);
  details.Add("sockets", Sockets(checkpoint));
  details.Add("network lock", checkpoint.network_lock());
  details.Add("host", checkpoint.host());
  details.Add("kernel", checkpoint.kernel_release());
  details.Add("CRIU", checkpoint.criu_version());
  details.Add("statistics", Statistics(checkpoint.statistics()));
  details.Add("stages", Stages(checkpoint));
  details.Add("restored as", std::vector<std::string>(checkpoint.restored_container_ids().begin(),
                                                      checkpoint.restored_container_ids().end()));
  return details.Render();
}

std::string Describe(const v1::Container& container) {
  Details details;
  details.Add("container", container.id());
  details.Add("name", container.name());
  details.Add("state", StateName(container.state()));
  details.Add("problem", container.problem());
  details.Add("command", container.command());
  details.Add("pid", std::to_string(container.pid()));
  details.Add("restored from", container.parent_checkpoint_id());
  details.Add("last checkpoint", container.last_checkpoint_id());
  details.Add("created", When(container.created_us()));
  details.Add("started", When(container.started_us()));
  details.Add("ended", When(container.ended_us()));
  if (HasEnded(container)) details.Add("exit status", ExitText(container));
  details.Add("log", container.log_path());
  return details.Render();
}

std::string Describe(const v1::Operation& operation) {
  Details details;
  details.Add("operation", operation.id());
  details.Add("kind", KindName(operation.kind()));
  details.Add("state", StateName(operation.state()));
  details.Add("stage", operation.stage());
  details.Add("checkpoint", operation.checkpoint_id());
  details.Add("container", operation.container_id());
  details.Add("request id", operation.request_id());
  details.Add("created", When(operation.created_us()));
  details.Add("ended", When(operation.ended_us()));
  if (operation.has_error()) {
    details.Add("error", operation.error().message());
    details.Add("reason", operation.error().reason());
    details.Add("hint", operation.error().hint());
    details.Add("CRIU said", std::vector<std::string>(operation.error().log_lines().begin(),
                                                      operation.error().log_lines().end()));
  }
  return details.Render();
}

}  // namespace crd::client
