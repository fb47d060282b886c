#include "net/sysctls.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "net/netns.h"

namespace crd::net {
namespace {

constexpr const char* kRoot = "/proc/sys/net/";

constexpr const char* kOfNamespace[] = {
    "core/somaxconn",
    "unix/max_dgram_qlen",
    "ipv4/ip_forward",
    "ipv4/ip_default_ttl",
    "ipv4/ip_local_port_range",
    "ipv4/ip_local_reserved_ports",
    "ipv4/ip_nonlocal_bind",
    "ipv4/ip_unprivileged_port_start",
    "ipv4/ping_group_range",
    "ipv4/tcp_congestion_control",
    "ipv4/tcp_ecn",
    "ipv4/tcp_fastopen",
    "ipv4/tcp_fin_timeout",
    "ipv4/tcp_keepalive_intvl",
    "ipv4/tcp_keepalive_probes",
    "ipv4/tcp_keepalive_time",
    "ipv4/tcp_max_syn_backlog",
    "ipv4/tcp_mtu_probing",
    "ipv4/tcp_retries1",
    "ipv4/tcp_retries2",
    "ipv4/tcp_rmem",
    "ipv4/tcp_sack",
    "ipv4/tcp_syn_retries",
    "ipv4/tcp_synack_retries",
    "ipv4/tcp_syncookies",
    "ipv4/tcp_timestamps",
    "ipv4/tcp_tw_reuse",
    "ipv4/tcp_window_scaling",
    "ipv4/tcp_wmem",
    "ipv6/bindv6only",
    "ipv6/ip_nonlocal_bind",
};

constexpr const char* kOfInterface4[] = {
    "accept_local",        "accept_redirects", "accept_source_route", "arp_announce",
    "arp_filter",          "arp_ignore",       "arp_notify",          "forwarding",
    "promote_secondaries", "proxy_arp",        "route_localnet",      "rp_filter",
    "send_redirects",      "src_valid_mark",
};

constexpr const char* kOfInterface6[] = {
    "accept_dad", "accept_ra", "accept_redirects",  "autoconf",  "dad_transmits", "disable_ipv6",
    "forwarding", "hop_limit", "keep_addr_on_down", "proxy_ndp", "use_tempaddr",
};

// The value of a setting in the calling thread's namespace; kNotFound if the kernel has none.
Result<std::string> ReadHere(const std::string& path) {
  const UniqueFd file(::open((kRoot + path).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return Error::Errno("open {}{}", kRoot, path);
  char text[256];
  const ssize_t size = ::read(file.get(), text, sizeof text);
  if (size < 0) return Error::Errno("read {}{}", kRoot, path);
  std::string value(text, static_cast<std::size_t>(size));
  while (!value.empty() && value.back() == '\n') value.pop_back();
  return value;
}

Result<void> WriteHere(const std::string& path, const std::string& value) {
  const UniqueFd file(::open((kRoot + path).c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.valid() || ::write(file.get(), value.data(), value.size()) < 0) {
    return Error::Errno("set {}{} to '{}'", kRoot, path, value);
  }
  return {};
}

Sysctls ReadAllHere(const std::vector<std::string>& interfaces) {
  Sysctls all;
  const auto take = [&all](const std::string& path) {
    auto value = ReadHere(path);
    if (value.ok()) all[path] = std::move(*value);
  };
  for (const char* path : kOfNamespace) take(path);
  std::vector<std::string> subjects = {"all", "default"};
  subjects.insert(subjects.end(), interfaces.begin(), interfaces.end());
  for (const std::string& subject : subjects) {
    for (const char* name : kOfInterface4) take(fmt::format("ipv4/conf/{}/{}", subject, name));
    for (const char* name : kOfInterface6) take(fmt::format("ipv6/conf/{}/{}", subject, name));
  }
  return all;
}

// Where a new namespace keeps what a new interface gets.
std::string WhenNew(const std::string& path) {
  const std::size_t conf = path.find("/conf/");
  if (conf == std::string::npos) return path;
  const std::size_t begin = conf + std::string_view("/conf/").size();
  const std::size_t end = path.find_last_of('/');
  const std::string subject = path.substr(begin, end - begin);
  if (subject == "all" || subject == "lo") return path;
  return path.substr(0, begin) + "default" + path.substr(end);
}

}  // namespace

Result<Sysctls> ReadSysctls(FdRef netns, const std::vector<std::string>& interfaces) {
  Sysctls all;
  TRY(RunInNetns(netns, [&]() -> Result<void> {
    all = ReadAllHere(interfaces);
    return {};
  }));
  return all;
}

Result<Sysctls> ReadNewNamespaceSysctls() {
  Sysctls all;
  TRY(RunInNewNetns([&]() -> Result<void> {
    all = ReadAllHere({"lo"});
    return {};
  }));
  return all;
}

Sysctls DifferingSysctls(const Sysctls& now, const Sysctls& when_new) {
  Sysctls differing;
  for (const auto& [path, value] : now) {
    const auto original = when_new.find(WhenNew(path));
    if (original == when_new.end() || original->second != value) differing[path] = value;
  }
  return differing;
}

Result<void> WriteSysctls(FdRef netns, const Sysctls& wanted, const Sysctls& now,
                          const Sysctls& when_new) {
  return RunInNetns(netns, [&]() -> Result<void> {
    // conf/all and conf/default come first in the order of a map, or do not matter to what exists:
    // but forwarding of "all" is handed to every interface, so each is looked at when it is due.
    for (const auto& [path, ignored] : now) {
      const auto said = wanted.find(path);
      const auto original = when_new.find(WhenNew(path));
      if (said == wanted.end() && original == when_new.end()) continue;
      const std::string& value = said == wanted.end() ? original->second : said->second;
      const auto current = ReadHere(path);
      if (!current.ok() || *current != value) TRY(WriteHere(path, value));
    }
    return {};
  });
}

}  // namespace crd::net
