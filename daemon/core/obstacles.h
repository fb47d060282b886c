#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "daemon/base/error.h"
#include "daemon/core/process_tree.h"

namespace crd {

// Something that keeps a tree from being dumped, and the process that has it.
struct Obstacle {
  pid_t pid = 0;
  Error error;
};

// The catalogue's part for trees that can't be checkpointed: one function per refusal, and the only
// place where their codes, names (Error::reason, stable) and sentences are. Pure.
//
// Each was tried with CRIU 4.2.1 on Linux 6.18: it fails there too, later and with the tree frozen,
// or dumps what it then cannot restore.
namespace refusal {

// Targets: `pid` leads to no tree that may be dumped.
Error InvalidPid(pid_t pid);
Error NoSuchProcess(pid_t pid);
Error KernelThread(const TreeProcess& process);
Error InitProcess();
Error DaemonInTree(const TreeProcess& root);  // is crd, or one of crd's ancestors
Error ThreadNotProcess(pid_t thread, const TreeProcess& leader);
Error Zombie(const TreeProcess& process);
Error InsideBusyTree(const TreeProcess& process, pid_t busy_root);
Error ContainsBusyTree(const TreeProcess& root, pid_t busy_root);
// The root lives in another namespace of this kind ("mnt", "pid", "user") than crd.
Error ForeignNamespace(const TreeProcess& process, std::string_view kind);

// Processes.
Error Traced(const TreeProcess& process, std::string_view tracer);
Error OtherUser(const TreeProcess& process);
Error ExitedMainThread(const TreeProcess& process);
Error PendingTrap(const TreeProcess& process);
Error NotSessionLeader(const TreeProcess& root);
// The leader of its session lives in another pid namespace: its sid is 0.
Error SessionOutsideNamespace(const TreeProcess& process);
// `what` is "session" or "process group"; its leader is alive and not in the tree.
Error LeaderOutside(const TreeProcess& process, std::string_view what, std::string_view leader);
Error NestedNamespace(const TreeProcess& process, std::string_view kind);

// Memory.
Error IoUring(const TreeProcess& process);
Error DeviceMapping(const TreeProcess& process, std::string_view path);
Error SharedSysvMemory(const TreeProcess& process);
Error Uprobes(const TreeProcess& process);

// Files. `where` is "descriptor 5" or "mapping 7f00", `path` what /proc shows.
Error UnsupportedObject(const TreeProcess& process, std::string_view where, std::string_view what);
Error Device(const TreeProcess& process, std::string_view where, std::string_view path, dev_t rdev);
Error TunDevice(const TreeProcess& process, std::string_view where);
Error ForeignMount(const TreeProcess& process, std::string_view where, std::string_view path);
Error GhostTooLarge(const TreeProcess& process, std::string_view where, std::string_view path,
                    std::uint64_t bytes, std::uint64_t limit);
Error NeedsLinkRemap(const TreeProcess& process, std::string_view where, std::string_view path);
Error PathReused(const TreeProcess& process, std::string_view where, std::string_view path);
Error FileLock(const TreeProcess& process, std::string_view where, std::string_view path);
Error UnwatchablePath(const TreeProcess& process, std::string_view where);
Error EscapedEpoll(const TreeProcess& process, int epoll_fd, int target_fd);
Error PidfdOutside(const TreeProcess& process, int fd, pid_t target);
Error ThreadPidfd(const TreeProcess& process, int fd);
Error NamespaceOutside(const TreeProcess& process, int fd, std::string_view link);
Error PacketPipe(const TreeProcess& process, int fd);
// `holder` is who has the other end.
Error PipeOutside(const TreeProcess& process, int fd, std::string_view link,
                  std::string_view holder);
Error TerminalOutside(const TreeProcess& process, int fd, std::string_view path);
Error SecondTerminal(const TreeProcess& process, int fd, std::string_view path);

// Sockets.
Error SocketFamily(const TreeProcess& process, int fd, int family);
Error SocketProtocol(const TreeProcess& process, int fd, int protocol);
Error CorkedUdp(const TreeProcess& process, int fd);
Error NetlinkHasData(const TreeProcess& process, int fd);
Error EstablishedTcp(const TreeProcess& process, std::size_t count, std::string_view example);
Error PendingTcp(const TreeProcess& process, int fd, std::string_view address, unsigned waiting);
Error UnixStreamOutside(const TreeProcess& process, int fd, std::string_view holder);
Error UnixDatagramOutside(const TreeProcess& process, int fd, std::string_view peer);
Error UnnamedDatagramOutside(const TreeProcess& process, int fd, std::string_view holder);
Error UnixNotAccepted(const TreeProcess& process, int fd);
Error UnixBacklog(const TreeProcess& process, int fd, std::string_view name);

}  // namespace refusal
}  // namespace crd
