#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "daemon/rpc/peer.h"

namespace crd::rpc {

// The path in "unix:///run/crd/crd.sock", "unix:/run/crd/crd.sock" or "/run/crd/crd.sock". Other
// schemes, an empty path and one that is too long for the kernel are refused.
[[nodiscard]] Result<std::string> SocketPath(std::string_view address);

// The id of a group; empty when there is none of this name. Call it before threads exist.
[[nodiscard]] Result<std::optional<gid_t>> FindGroup(const std::string& name);

// The socket that clients connect to. Belongs to the loop's thread.
//
// It lets in root, and members of one group if that exists: by the primary group or any other that
// the client had when it connected.
class Listener {
 public:
  using OnConnection = std::function<void(UniqueFd socket, Peer peer)>;

  // Makes the socket: mode 0660 and of the group, in a directory that is made if it is missing. A
  // socket that a crashed crd left there is replaced; fails when somebody still answers on it and
  // when something else than a socket is in the way. The file goes when the listener does.
  [[nodiscard]] static Result<Listener> Bind(const std::string& path, std::optional<gid_t> group);
  // Uses a socket that listens already (systemd's). Its file stays in the end.
  [[nodiscard]] static Result<Listener> Adopt(UniqueFd socket, std::optional<gid_t> group);

  Listener(Listener&&) noexcept;
  Listener& operator=(Listener&&) = delete;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener();

  // Readable (EPOLLIN, level-triggered) when somebody connects: call Accept() then.
  [[nodiscard]] FdRef fd() const { return socket_.ref(); }
  // For people: a path.
  [[nodiscard]] const std::string& address() const { return address_; }

  // Accepts who is waiting, up to a batch, and hands over who is let in: sockets are non-blocking
  // and close-on-exec. Others are closed; of each uid this is logged once. Where descriptors are
  // used up, clients are turned away rather than left waiting.
  void Accept(const OnConnection& on_connection);

 private:
  // What tells our socket file from one that somebody else put in its place.
  struct File {
    std::string path;
    dev_t device = 0;
    ino_t inode = 0;
  };
  Listener(UniqueFd socket, std::string address, std::optional<gid_t> group);
  bool TurnAwayOne();
  [[nodiscard]] bool MayConnect(const Peer& peer) const;
  void LogRefusal(const Peer& peer);

  UniqueFd socket_;
  UniqueFd reserve_;  // given up for a moment to turn a client away when there are no others
  std::string address_;
  std::optional<gid_t> group_;
  std::optional<File> file_;
  std::set<uid_t> refused_;
  bool exhausted_ = false;  // so that it is logged once
};

}  // namespace crd::rpc
