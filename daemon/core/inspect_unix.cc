#include "daemon/core/inspect_unix.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>

#include "daemon/base/proc.h"
#include "net/unix_diag.h"

namespace crd {
namespace {

// The kernel's view of unix sockets, in the network namespace of whichever process has them.
class SocketTable {
 public:
  std::optional<net::UnixSocket> Find(pid_t owner, ino_t inode) {
    net::UnixDiag* diag = Diag(owner);
    if (diag == nullptr) return std::nullopt;
    Result<net::UnixSocket> found = diag->Find(inode);
    if (!found.ok()) return std::nullopt;
    return std::move(found).value();
  }

 private:
  net::UnixDiag* Diag(pid_t owner) {
    const Result<proc::ProcDir> process = proc::ProcDir::Open(owner);
    if (!process.ok()) return nullptr;
    const Result<ino_t> netns = proc::ReadNamespace(process.value(), "net");
    if (!netns.ok()) return nullptr;
    const auto known = diags_.find(netns.value());
    if (known != diags_.end()) return &known->second;
    const UniqueFd file(::openat(process.value().fd().get(), "ns/net", O_RDONLY | O_CLOEXEC));
    if (!file.valid()) return nullptr;
    Result<net::UnixDiag> diag = net::UnixDiag::Open(file.ref());
    if (!diag.ok()) return nullptr;
    return &diags_.emplace(netns.value(), std::move(diag).value()).first->second;
  }
  std::map<ino_t, net::UnixDiag> diags_;
};

// A socket of the tree with what the kernel says of it.
struct Entry {
  const Descriptor* descriptor = nullptr;
  const Descriptor* standard_stream = nullptr;  // any descriptor 0, 1, 2 of it
  net::UnixSocket socket;
};

std::map<ino_t, Entry> Collect(SocketTable& table, const std::vector<Descriptor>& descriptors,
                               const std::vector<const Descriptor*>& sockets) {
  std::map<ino_t, Entry> entries;
  for (const Descriptor* descriptor : sockets) {
    auto socket = table.Find(descriptor->pid, descriptor->inode);
    if (!socket.has_value()) continue;
    entries.emplace(descriptor->inode,
                    Entry{.descriptor = descriptor, .socket = std::move(*socket)});
  }
  for (const Descriptor& descriptor : descriptors) {
    if (descriptor.kind != Descriptor::Kind::kSocket || !descriptor.standard_stream()) continue;
    const auto entry = entries.find(descriptor.inode);
    if (entry == entries.end() || entry->second.standard_stream != nullptr) continue;
    entry->second.standard_stream = &descriptor;
  }
  return entries;
}

std::string Shown(const std::string& name) { return name.empty() ? "no address" : name; }

class UnixInspector {
 public:
  UnixInspector(const ProcessTree& tree, const criu::DumpOptions& options, SocketTable& table,
                const std::map<ino_t, Entry>& entries)
      : tree_(tree), options_(options), table_(table), entries_(entries) {}

  Findings Run() && {
    for (const auto& [inode, entry] : entries_) {
      for (const ino_t client : entry.socket.waiting) waiting_.insert(client);
    }
    for (const auto& [inode, entry] : entries_) Look(entry);
    NameHolders();
    return std::move(findings_);
  }

 private:
  void Look(const Entry& entry) {
    const net::UnixSocket& socket = entry.socket;
    if (socket.listening()) return LookListener(entry);
    if (!socket.peer.has_value()) return;
    if (*socket.peer == 0) {
      // The other end was closed, or the connection waits to be accepted: by a listener of the
      // tree, which CRIU can make anew, or by one outside.
      if (socket.connected_stream() && !socket.shut_down && waiting_.count(socket.inode) == 0) {
        Add(entry, refusal::UnixNotAccepted(Owner(entry), entry.descriptor->fd));
      }
      return;
    }
    if (entries_.count(*socket.peer) > 0) return;
    if (socket.connected_stream() && entry.standard_stream != nullptr) return AddLink(entry);
    if (socket.type == SOCK_DGRAM && options_.ext_unix_sk) {
      const auto peer = table_.Find(entry.descriptor->pid, *socket.peer);
      if (!peer.has_value() || !peer->name.empty()) return;
    }
    unknown_peers_.emplace(*socket.peer, &entry);
  }

  void LookListener(const Entry& entry) {
    for (const ino_t client : entry.socket.waiting) {
      const auto inside = entries_.find(client);
      const bool written = inside != entries_.end() && inside->second.socket.unsent > 0;
      if (client != 0 && !written) continue;
      Add(entry,
          refusal::UnixBacklog(Owner(entry), entry.descriptor->fd, Shown(entry.socket.name)));
      return;
    }
  }

  void AddLink(const Entry& entry) {
    const Descriptor& stream = *entry.standard_stream;
    findings_.external.push_back(fmt::format("unix[{}]", entry.socket.inode));
    findings_.stdio.push_back({.kind = StdioLink::Kind::kSocket,
                               .key = stream.link,
                               .pid = stream.pid,
                               .fd = stream.fd,
                               .readable = stream.readable,
                               .writable = stream.writable});
  }

  // A peer that no process has at all is on its way inside of a message; that CRIU can dump.
  void NameHolders() {
    std::set<ino_t> inodes;
    for (const auto& [peer, entry] : unknown_peers_) inodes.insert(peer);
    std::set<ino_t> named;
    for (const OutsideHolder& holder : FindHolders(tree_, {}, inodes)) {
      if (!named.insert(holder.inode).second) continue;
      const auto [begin, end] = unknown_peers_.equal_range(holder.inode);
      for (auto at = begin; at != end; ++at) RefusePeer(*at->second, holder);
    }
  }

  void RefusePeer(const Entry& entry, const OutsideHolder& holder) {
    const int fd = entry.descriptor->fd;
    if (entry.socket.type != SOCK_DGRAM) {
      return Add(entry, refusal::UnixStreamOutside(Owner(entry), fd, holder.Describe()));
    }
    const auto peer = table_.Find(entry.descriptor->pid, holder.inode);
    if (peer.has_value() && peer->name.empty()) {
      return Add(entry, refusal::UnnamedDatagramOutside(Owner(entry), fd, holder.Describe()));
    }
    const std::string name = peer.has_value() ? Shown(peer->name) : "an unknown address";
    Add(entry, refusal::UnixDatagramOutside(Owner(entry), fd,
                                            fmt::format("{} of {}", name, holder.Describe())));
  }

  [[nodiscard]] const TreeProcess& Owner(const Entry& entry) const {
    return *tree_.Find(entry.descriptor->pid);
  }
  void Add(const Entry& entry, Error error) {
    findings_.obstacles.push_back({entry.descriptor->pid, std::move(error)});
  }

  const ProcessTree& tree_;
  const criu::DumpOptions& options_;
  SocketTable& table_;
  const std::map<ino_t, Entry>& entries_;
  std::set<ino_t> waiting_;                           // clients in the tree's listeners' queues
  std::multimap<ino_t, const Entry*> unknown_peers_;  // peers that the tree does not have
  Findings findings_;
};

}  // namespace

Findings InspectUnixSockets(const ProcessTree& tree, const std::vector<Descriptor>& descriptors,
                            const std::vector<const Descriptor*>& sockets,
                            const criu::DumpOptions& options) {
  SocketTable table;
  const std::map<ino_t, Entry> entries = Collect(table, descriptors, sockets);
  return UnixInspector(tree, options, table, entries).Run();
}

}  // namespace crd
