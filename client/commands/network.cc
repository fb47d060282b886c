#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <api/v1/network.grpc.pb.h>
#include <fmt/ranges.h>

#include "client/commands/commands.h"
#include "client/commands/each.h"
#include "client/commands/network_text.h"
#include "client/commands/pages.h"
#include "client/commands/validators.h"
#include "client/exit_codes.h"
#include "client/json.h"
#include "daemon/base/ids.h"

namespace crd::client {
namespace {

using Stub = v1::NetworkService::Stub;

CallOptions Repeated(const Session& session) {
  CallOptions options = session.Limited();
  options.repeat = true;
  return options;
}

Result<int> ListNetworks(Session& session) {
  const auto list =
      TRY(session.Call(&Stub::ListNetworks, v1::ListNetworksRequest{}, session.Limited()));
  if (session.settings().json) {
    session.out().Line(ToJson(list));
  } else {
    session.out().Write(Render(list));
  }
  return kDone;
}

void AddNetworkList(CLI::App& app, Command& chosen) {
  app.footer(
      "Made: by crd. Taken: a bridge that crd was told of. Found: one that a checkpointed tree "
      "was\n"
      "plugged into.");
  app.callback([&chosen] { chosen = [](Session& session) { return ListNetworks(session); }; });
}

Result<int> Create(Session& session, v1::CreateNetworkRequest request) {
  request.set_request_id(RandomHex16());
  if (request.bridge().empty()) request.set_bridge(request.name());
  const auto made = session.Call(&Stub::CreateNetwork, request, Repeated(session));
  // Asked again after an answer was lost: it is there.
  const bool before = !made.ok() && session.repeated() && made.error().code == Code::kAlreadyExists;
  if (!made.ok() && !before) return made.error();
  session.out().Line(session.settings().json && made.ok() ? ToJson(*made) : request.name());
  return kDone;
}

void AddNetworkCreate(CLI::App& app, Command& chosen) {
  auto request = std::make_shared<v1::CreateNetworkRequest>();
  app.add_option_function<std::string>(
         "NAME", [request](const std::string& name) { request->set_name(name); },
         "A name for the network")
      ->option_text(" ")
      ->required();
  app.add_option_function<std::string>(
         "--bridge", [request](const std::string& name) { request->set_bridge(name); },
         "Its bridge, which is made if there is none (NAME)")
      ->option_text("BRIDGE");
  app.add_option_function<std::vector<std::string>>(
         "--subnet",
         [request](const std::vector<std::string>& prefixes) {
           for (const std::string& prefix : prefixes) request->add_subnets(prefix);
         },
         "A subnet, as ADDRESS/LENGTH; may be repeated (those that the bridge has addresses in)")
      ->option_text("PREFIX")
      ->allow_extra_args(false);
  app.add_option_function<std::vector<std::string>>(
         "--gateway",
         [request](const std::vector<std::string>& addresses) {
           for (const std::string& address : addresses) request->add_gateways(address);
         },
         "The gateway of the subnet that it is in; may be repeated (the bridge itself)")
      ->option_text("ADDRESS")
      ->allow_extra_args(false);
  app.footer(
      "Prints the network's name.\n\n"
      "Examples:\n"
      "  crctl network create web --bridge br0\n"
      "  crctl network create web --bridge br0 --subnet 10.77.0.0/24 --subnet fd77::/64");
  app.callback([request, &chosen] {
    chosen = [request](Session& session) { return Create(session, *request); };
  });
}

Result<void> Remove(Session& session, const std::string& name) {
  v1::RemoveNetworkRequest request;
  request.set_request_id(RandomHex16());
  request.set_network(name);
  const auto removed = session.Call(&Stub::RemoveNetwork, request, Repeated(session));
  if (!removed.ok() && !GoneBefore(session, removed.error())) return removed.error();
  session.out().Line(session.settings().json ? ToJson(v1::RemoveNetworkResponse{}) : name);
  return {};
}

void AddNetworkRm(CLI::App& app, Command& chosen) {
  auto names = std::make_shared<std::vector<std::string>>();
  app.add_option("NAME", *names, "Networks")->option_text("...")->required();
  app.footer("A bridge that crd made goes with its network. Prints the names.");
  app.callback([names, &chosen] {
    chosen = [names](Session& session) {
      return ForEach(session, *names,
                     [&](const std::string& name) { return Remove(session, name); });
    };
  });
}

Result<int> ListReservations(Session& session, const v1::ListReservationsRequest& request) {
  const auto whole = TRY(ListAll(session, &Stub::ListReservations, request));
  if (session.settings().json) {
    session.out().Line(ToJson(whole));
  } else {
    session.out().Write(Render(whole));
  }
  return kDone;
}

void AddNetworkReservations(CLI::App& app, Command& chosen) {
  auto request = std::make_shared<v1::ListReservationsRequest>();
  app.add_option_function<std::string>(
         "NETWORK", [request](const std::string& name) { request->set_network(name); },
         "Only of this network")
      ->option_text(" ");
  app.add_flag_callback(
      "-a,--all", [request] { request->set_all(true); }, "Released ones too");
  app.footer(
      "Active: its tree runs with it. Held: by the tree's namespace (hold), in which the kernel\n"
      "goes on to answer, or by the record alone (release).");
  app.callback([request, &chosen] {
    chosen = [request](Session& session) { return ListReservations(session, *request); };
  });
}

Result<int> Reserve(Session& session, v1::ReserveRequest request) {
  request.set_request_id(RandomHex16());
  const auto reserved = TRY(session.Call(&Stub::Reserve, request, Repeated(session)));
  if (session.settings().json) {
    session.out().Line(ToJson(reserved));
  } else {
    session.out().Line(fmt::format("{} {}", reserved.id(), fmt::join(reserved.addresses(), " ")));
  }
  return kDone;
}

void AddNetworkReserve(CLI::App& app, Command& chosen) {
  auto request = std::make_shared<v1::ReserveRequest>();
  app.add_option_function<std::string>(
         "NETWORK", [request](const std::string& name) { request->set_network(name); },
         "Of which network")
      ->option_text(" ")
      ->required();
  app.add_option_function<std::vector<std::string>>(
         "ADDRESS",
         [request](const std::vector<std::string>& addresses) {
           for (const std::string& address : addresses) request->add_addresses(address);
         },
         "Addresses (a free one of each subnet)")
      ->option_text("...");
  app.add_option_function<std::string>(
         "--mac", [request](const std::string& mac) { request->set_mac(mac); },
         "And this MAC address")
      ->option_text("MAC");
  app.add_option_function<std::string>(
         "--host-interface",
         [request](const std::string& name) { request->set_host_interface(name); },
         "And this name of an interface on the host")
      ->option_text("NAME");
  app.add_option_function<std::string>(
         "--for", [request](const std::string& holder) { request->set_holder(holder); },
         "For whom: what others are told who want the same")
      ->option_text("HOLDER");
  app.add_option_function<std::int64_t>(
         "--reserve-for", [request](std::int64_t us) { request->set_reserve_for_us(us); },
         "Only for so long: 30s, 2h")
      ->transform(AsMicroseconds())
      ->option_text("DUR");
  app.footer(
      "Prints the reservation's id and its addresses.\n\n"
      "Examples:\n"
      "  crctl network reserve web\n"
      "  crctl network reserve web 10.77.0.5 --mac 02:00:00:00:00:05 --for db");
  app.callback([request, &chosen] {
    chosen = [request](Session& session) { return Reserve(session, *request); };
  });
}

Result<void> Release(Session& session, const std::string& key, const std::string& network) {
  v1::ReleaseRequest request;
  request.set_request_id(RandomHex16());
  request.set_reservation(key);
  request.set_network(network);
  v1::Reservation released;
  released.set_id(key);
  const auto answer = session.Call(&Stub::Release, request, Repeated(session));
  if (answer.ok()) {
    released = *answer;
  } else if (!GoneBefore(session, answer.error())) {
    return answer.error();
  }
  session.out().Line(session.settings().json ? ToJson(released) : released.id());
  return {};
}

void AddNetworkRelease(CLI::App& app, Command& chosen) {
  struct Args {
    std::vector<std::string> keys;
    std::string network;
  };
  auto args = std::make_shared<Args>();
  app.add_option("RESERVATION", args->keys, "Ids, unique prefixes of them, or addresses")
      ->option_text("...")
      ->required();
  app.add_option("--network", args->network, "The network that the addresses are in")
      ->option_text("NETWORK");
  app.footer(
      "What a checkpoint holds is given free, too, and its namespace is dismantled: it gets its\n"
      "addresses back if they are free when it is restored. Prints the ids.");
  app.callback([args, &chosen] {
    chosen = [args](Session& session) {
      return ForEach(session, args->keys,
                     [&](const std::string& key) { return Release(session, key, args->network); });
    };
  });
}

}  // namespace

void AddNetwork(CLI::App& app, Command& chosen) {
  app.require_subcommand(1);
  CLI::App* list = app.add_subcommand("ls", "List networks");
  list->alias("list");
  AddNetworkList(*list, chosen);
  AddNetworkCreate(*app.add_subcommand("create", "Take a bridge as a network, or make it"), chosen);
  AddNetworkRm(*app.add_subcommand("rm", "Remove networks"), chosen);
  AddNetworkReservations(*app.add_subcommand("reservations", "List who has which address"), chosen);
  AddNetworkReserve(*app.add_subcommand("reserve", "Set addresses aside"), chosen);
  AddNetworkRelease(*app.add_subcommand("release", "Give addresses free"), chosen);
  for (CLI::App* command : app.get_subcommands({})) command->fallthrough();
  app.footer(
      "Nobody else gets an address, a MAC or a name of an interface while it is active or held.\n\n"
      "Examples:\n"
      "  crctl network create web --bridge br0 --subnet 10.77.0.0/24\n"
      "  crctl network reservations web\n"
      "  crctl network release 10.77.0.5");
}

}  // namespace crd::client
