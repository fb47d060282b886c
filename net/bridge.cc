#include "net/bridge.h"

#include <linux/if_link.h>
#include <net/if.h>

#include "net/configure.h"
#include "net/links.h"
#include "net/refusals.h"
#include "net/tables.h"

namespace crd::net {
namespace {

Result<std::optional<Link>> LookFor(Netlink& netlink, const std::string& name) {
  auto link = FindLink(netlink, name);
  if (link.ok()) return std::optional(std::move(*link));
  if (link.error().code == Code::kNotFound) return std::optional<Link>();
  return std::move(link).error();
}

Result<void> SetUp(Netlink& netlink, int index, const std::vector<std::string>& addresses) {
  for (const std::string& text : addresses) {
    const Prefix prefix = TRY(ParsePrefix(text));
    TRY(AddAddress(netlink, index,
                   {.local = AddressText(prefix.address), .prefix_length = prefix.length}));
  }
  return ChangeLink(netlink, index, {.flags = IFF_UP, .mask = IFF_UP});
}

}  // namespace

Result<std::optional<Bridge>> FindBridge(const std::string& name) {
  TRY(CheckInterfaceName(name));
  Netlink netlink = TRY(Netlink::Open());
  const std::optional<Link> link = TRY(LookFor(netlink, name));
  if (!link.has_value()) return std::optional<Bridge>();
  if (link->kind != "bridge") return refusal::NotABridge(name, link->kind);
  Bridge bridge{.name = name, .mac = link->mac, .up = (link->flags & IFF_UP) != 0};
  for (const auto& [index, address] : TRY(ListAddresses(netlink, link->index))) {
    if (IsLinkLocal(address)) continue;
    bridge.addresses.push_back(fmt::format("{}/{}", address.local, address.prefix_length));
  }
  for (const Link& port : TRY(ListLinks(netlink))) {
    if (port.master == link->index) bridge.ports.push_back(port.name);
  }
  return std::optional(std::move(bridge));
}

Result<void> MakeBridge(const std::string& name, const std::vector<std::string>& addresses) {
  TRY(CheckInterfaceName(name));
  Netlink netlink = TRY(Netlink::Open());
  Request request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
  request.PutText(IFLA_IFNAME, name);
  request.Nest(IFLA_LINKINFO, [](Request& info) { info.PutText(IFLA_INFO_KIND, "bridge"); });
  TRY(netlink.Do(request, fmt::format("make the bridge '{}'", name)));
  const int index = TRY(FindLink(netlink, name)).index;
  auto done = SetUp(netlink, index, addresses);
  if (!done.ok()) static_cast<void>(RemoveLink(netlink, index));
  return done;
}

Result<void> RemoveBridge(const std::string& name) {
  Netlink netlink = TRY(Netlink::Open());
  const std::optional<Link> link = TRY(LookFor(netlink, name));
  if (!link.has_value()) return {};
  if (link->kind != "bridge") return refusal::NotABridge(name, link->kind);
  return RemoveLink(netlink, link->index);
}

Result<void> RemoveVeth(const std::string& name, const std::string& mac) {
  Netlink netlink = TRY(Netlink::Open());
  const std::optional<Link> link = TRY(LookFor(netlink, name));
  if (!link.has_value() || link->kind != "veth" || link->mac != mac) return {};
  auto removed = RemoveLink(netlink, link->index);
  // It may be ending with its namespace at this moment.
  if (!removed.ok() && removed.error().code == Code::kNotFound) return {};
  return removed;
}

}  // namespace crd::net
