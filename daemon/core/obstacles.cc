#include "daemon/core/obstacles.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

namespace crd::refusal {
namespace {

Error Refuse(Code code, std::string_view reason, std::string message, std::string hint) {
  return Error{.code = code,
               .reason = std::string(reason),
               .message = std::move(message),
               .hint = std::move(hint)};
}

Error Refuse(std::string_view reason, std::string message, std::string hint) {
  return Refuse(Code::kFailedPrecondition, reason, std::move(message), std::move(hint));
}

// "redis-server (pid 12): descriptor 5"
std::string At(const TreeProcess& process, std::string_view where) {
  return fmt::format("{}: {}", process.Describe(), where);
}
std::string At(const TreeProcess& process, int fd) {
  return fmt::format("{}: descriptor {}", process.Describe(), fd);
}

constexpr std::string_view kCloseIt =
    "CRIU cannot dump this kind of object: have the program close it first";

}  // namespace

Error InvalidPid(pid_t pid) {
  return Refuse(Code::kInvalidArgument, "INVALID_PID", fmt::format("{} is not a pid", pid),
                "a pid is a number from 1 up");
}

Error NoSuchProcess(pid_t pid) {
  return Refuse(Code::kNotFound, "NO_SUCH_PROCESS", fmt::format("there is no process {}", pid),
                "ps lists the processes that there are; the pid must be the one that crd sees");
}

Error KernelThread(const TreeProcess& process) {
  return Refuse("KERNEL_THREAD", fmt::format("{} is a thread of the kernel", process.Describe()),
                "only programs can be checkpointed");
}

Error InitProcess() {
  return Refuse("INIT_PROCESS", "process 1 is the system's init",
                "name the root of the tree that is meant");
}

Error DaemonInTree(const TreeProcess& root) {
  return Refuse(
      "CRD_IN_TREE", fmt::format("the tree beneath {} contains crd itself", root.Describe()),
      "a tree can only be dumped from outside: name a smaller one, or start crd elsewhere");
}

Error ThreadNotProcess(pid_t thread, const TreeProcess& leader) {
  return Refuse(Code::kInvalidArgument, "THREAD_NOT_PROCESS",
                fmt::format("{} is a thread of {}", thread, leader.Describe()),
                fmt::format("name the process: {}", leader.pid));
}

Error Zombie(const TreeProcess& process) {
  return Refuse("ZOMBIE", fmt::format("{} has ended already", process.Describe()),
                fmt::format("it waits to be reaped by its parent {}", process.ppid));
}

Error InsideBusyTree(const TreeProcess& process, pid_t busy_root) {
  return Refuse(Code::kAborted, "INSIDE_BUSY_TREE",
                fmt::format("{} is part of the tree of {}, which another operation works on",
                            process.Describe(), busy_root),
                "wait until that operation has ended, then try again");
}

Error ContainsBusyTree(const TreeProcess& root, pid_t busy_root) {
  return Refuse(Code::kAborted, "CONTAINS_BUSY_TREE",
                fmt::format("the tree beneath {} contains the tree of {}, which another operation "
                            "works on",
                            root.Describe(), busy_root),
                "wait until that operation has ended, then try again");
}

Error ForeignNamespace(const TreeProcess& process, std::string_view kind) {
  return Refuse(
      "FOREIGN_NAMESPACE",
      fmt::format("{} lives in another {} namespace than crd", process.Describe(), kind),
      "it is, or is in, a container: checkpoint that container by its name, or run a crd in "
      "there");
}

Error Traced(const TreeProcess& process, std::string_view tracer) {
  return Refuse(
      "TRACED", fmt::format("{} is traced by {}", process.Describe(), tracer),
      "detach the debugger or strace first: a process has only one tracer, and CRIU must be "
      "it");
}

Error OtherUser(const TreeProcess& process) {
  return Refuse(
      "NEEDS_CAP_SYS_RESOURCE",
      fmt::format("{} runs as user {} (effective {}), group {}, and crd lacks "
                  "CAP_SYS_RESOURCE, without which it may not read that process's limits",
                  process.Describe(), process.uid.real, process.uid.effective, process.gid.real),
      "start crd with CAP_SYS_RESOURCE, or run the program as crd's own user");
}

Error ExitedMainThread(const TreeProcess& process) {
  return Refuse(
      "MAIN_THREAD_EXITED",
      fmt::format("the main thread of {} has ended while others run on", process.Describe()),
      "CRIU cannot dump such a process; the program would have to keep its main thread");
}

Error PendingTrap(const TreeProcess& process) {
  return Refuse("PENDING_SIGTRAP",
                fmt::format("{} has a blocked SIGTRAP waiting for it", process.Describe()),
                "CRIU works with SIGTRAP itself: the program has to take the signal first");
}

Error NotSessionLeader(const TreeProcess& root) {
  return Refuse("NEEDS_SHELL_JOB",
                fmt::format("{} does not lead its session: that is process {}, outside the tree",
                            root.Describe(), root.sid),
                "pass --shell-job, or start the program with setsid");
}

Error SessionOutsideNamespace(const TreeProcess& process) {
  return Refuse("SESSION_OUTSIDE_NAMESPACE",
                fmt::format("the session of {} is led by a process outside of its pid namespace",
                            process.Describe()),
                "CRIU cannot restore such a session, with --shell-job or without: start the "
                "program with setsid");
}

Error LeaderOutside(const TreeProcess& process, std::string_view what, std::string_view leader) {
  return Refuse(
      "LEADER_OUTSIDE",
      fmt::format("{} belongs to a {} of {}, outside the tree", process.Describe(), what, leader),
      "it could not be restored while that process lives: checkpoint a tree that contains "
      "it, or start the program in a session of its own (setsid)");
}

Error NestedNamespace(const TreeProcess& process, std::string_view kind) {
  return Refuse(
      "NESTED_NAMESPACE",
      fmt::format("{} is in another {} namespace than the root of the tree", process.Describe(),
                  kind),
      "CRIU restores only trees whose processes share this namespace: checkpoint the inner "
      "tree by itself");
}

Error IoUring(const TreeProcess& process) {
  return Refuse(
      "IO_URING", fmt::format("{} uses io_uring", process.Describe()),
      "CRIU cannot dump io_uring: turn it off in the program (node: UV_USE_IO_URING=0), or "
      "for the host with sysctl kernel.io_uring_disabled=2");
}

Error DeviceMapping(const TreeProcess& process, std::string_view path) {
  return Refuse("DEVICE_MAPPED",
                fmt::format("{} has {} mapped into its memory", process.Describe(), path),
                std::string(kCloseIt));
}

Error SharedSysvMemory(const TreeProcess& process) {
  return Refuse("SYSV_MEMORY",
                fmt::format("{} has System V shared memory attached that belongs to the whole host",
                            process.Describe()),
                "start the program in an IPC namespace of its own (unshare --ipc)");
}

Error Uprobes(const TreeProcess& process) {
  return Refuse("UPROBES", fmt::format("uprobes are set in {}", process.Describe()),
                "detach the tracing tool (perf, bpftrace) and restart the program");
}

Error UnsupportedObject(const TreeProcess& process, std::string_view where, std::string_view what) {
  return Refuse("UNSUPPORTED_OBJECT", fmt::format("{} is {}", At(process, where), what),
                std::string(kCloseIt));
}

Error Device(const TreeProcess& process, std::string_view where, std::string_view path,
             dev_t rdev) {
  return Refuse("DEVICE_OPEN",
                fmt::format("{} is the device {} ({}:{})", At(process, where), path, major(rdev),
                            minor(rdev)),
                "a device's state is outside the program: have it close the device first");
}

Error TunDevice(const TreeProcess& process, std::string_view where) {
  return Refuse(
      "TUN_OPEN",
      fmt::format("{} is /dev/net/tun in the host's network namespace", At(process, where)),
      "CRIU dumps tun devices only with their network namespace: start the program in one of "
      "its own");
}

Error ForeignMount(const TreeProcess& process, std::string_view where, std::string_view path) {
  return Refuse("FOREIGN_MOUNT",
                fmt::format("{} is '{}' on a mount that is not in the process's mount namespace",
                            At(process, where), path),
                "open the file by a path of this mount namespace instead");
}

Error GhostTooLarge(const TreeProcess& process, std::string_view where, std::string_view path,
                    std::uint64_t bytes, std::uint64_t limit) {
  return Refuse("GHOST_TOO_LARGE",
                fmt::format("{} is '{}', a deleted file of {} bytes; at most {} are taken along",
                            At(process, where), path, bytes, limit),
                fmt::format("pass --ghost-limit {}", bytes));
}

Error NeedsLinkRemap(const TreeProcess& process, std::string_view where, std::string_view path) {
  return Refuse(
      "NEEDS_LINK_REMAP",
      fmt::format("{} is '{}', which is deleted but has another name", At(process, where), path),
      "pass --link-remap: a temporary name is then made beside it");
}

Error PathReused(const TreeProcess& process, std::string_view where, std::string_view path) {
  return Refuse(
      "PATH_REUSED",
      fmt::format("{} is '{}', but that path now leads to another file", At(process, where), path),
      "a file was put or mounted over it: move that away, or have the program reopen it");
}

Error FileLock(const TreeProcess& process, std::string_view where, std::string_view path) {
  return Refuse("NEEDS_FILE_LOCKS",
                fmt::format("{} holds a lock on '{}'", At(process, where), path),
                "pass --file-locks; others must not take the lock between checkpoint and restore");
}

Error UnwatchablePath(const TreeProcess& process, std::string_view where) {
  return Refuse("UNWATCHABLE_PATH",
                fmt::format("{} watches a file of a file system without file handles (proc, sysfs)",
                            At(process, where)),
                "CRIU cannot find such a file again: have the program remove the watch first");
}

Error EscapedEpoll(const TreeProcess& process, int epoll_fd, int target_fd) {
  return Refuse(
      "EPOLL_ESCAPED",
      fmt::format("{} (epoll) watches descriptor {}, which the process has closed and "
                  "another one still has",
                  At(process, epoll_fd), target_fd),
      "CRIU cannot dump this; the program should remove descriptors before it closes them");
}

Error PidfdOutside(const TreeProcess& process, int fd, pid_t target) {
  return Refuse(
      "PIDFD_OUTSIDE",
      fmt::format("{} is a pidfd of process {}, outside the tree", At(process, fd), target),
      "checkpoint a tree that contains that process, or have the program close the pidfd");
}

Error ThreadPidfd(const TreeProcess& process, int fd) {
  return Refuse("UNSUPPORTED_OBJECT", fmt::format("{} is a pidfd of a thread", At(process, fd)),
                std::string(kCloseIt));
}

Error NamespaceOutside(const TreeProcess& process, int fd, std::string_view link) {
  return Refuse("NAMESPACE_OUTSIDE",
                fmt::format("{} is the namespace {}, which no process of the tree is in",
                            At(process, fd), link),
                "have the program close it first");
}

Error PacketPipe(const TreeProcess& process, int fd) {
  return Refuse("UNSUPPORTED_OBJECT",
                fmt::format("{} is a pipe in packet mode (O_DIRECT)", At(process, fd)),
                std::string(kCloseIt));
}

Error PipeOutside(const TreeProcess& process, int fd, std::string_view link,
                  std::string_view holder) {
  return Refuse(
      "PIPE_OUTSIDE",
      fmt::format("{} is {}, whose other end only {} has, outside the tree", At(process, fd), link,
                  holder),
      fmt::format(
          "only descriptors 0, 1 and 2 can be given something else at restore: checkpoint a "
          "tree that contains both ends, or start the program without it (sh: {}<&-)",
          fd));
}

Error TerminalOutside(const TreeProcess& process, int fd, std::string_view path) {
  return Refuse(
      "NEEDS_SHELL_JOB",
      fmt::format("{} is the terminal {}, which is driven from outside the tree", At(process, fd),
                  path),
      "pass --shell-job and restore from a terminal, or start the program with its standard "
      "streams somewhere else");
}

Error SecondTerminal(const TreeProcess& process, int fd, std::string_view path) {
  return Refuse("SECOND_TERMINAL",
                fmt::format("{} is {}, the second terminal that is driven from outside the tree",
                            At(process, fd), path),
                "CRIU can replace only one: have the program close the other");
}

namespace {

std::string FamilyName(int family) {
  switch (family) {
    case AF_VSOCK:
      return "AF_VSOCK";
    case AF_ALG:
      return "AF_ALG (kernel crypto)";
    case AF_XDP:
      return "AF_XDP (packet capture)";
    case AF_BLUETOOTH:
      return "AF_BLUETOOTH";
    case AF_CAN:
      return "AF_CAN";
    case AF_TIPC:
      return "AF_TIPC";
    case AF_KEY:
      return "AF_KEY";
    case AF_SMC:
      return "AF_SMC";
    default:
      return fmt::format("address family {}", family);
  }
}

std::string ProtocolName(int protocol) {
  switch (protocol) {
    case IPPROTO_MPTCP:
      return "MPTCP";
    case IPPROTO_SCTP:
      return "SCTP";
    case IPPROTO_DCCP:
      return "DCCP";
    default:
      return fmt::format("IP protocol {}", protocol);
  }
}

}  // namespace

Error SocketFamily(const TreeProcess& process, int fd, int family) {
  return Refuse("UNSUPPORTED_SOCKET",
                fmt::format("{} is a socket of {}", At(process, fd), FamilyName(family)),
                std::string(kCloseIt));
}

Error SocketProtocol(const TreeProcess& process, int fd, int protocol) {
  return Refuse("UNSUPPORTED_SOCKET",
                fmt::format("{} is a socket of {}", At(process, fd), ProtocolName(protocol)),
                protocol == IPPROTO_MPTCP
                    ? "turn MPTCP off in the program (Go: GODEBUG=multipathtcp=0)"
                    : std::string(kCloseIt));
}

Error CorkedUdp(const TreeProcess& process, int fd) {
  return Refuse("CORKED_UDP", fmt::format("{} is a corked UDP socket", At(process, fd)),
                "the program has to uncork it first: what is in it cannot be read out");
}

Error NetlinkHasData(const TreeProcess& process, int fd) {
  return Refuse("NETLINK_HAS_DATA",
                fmt::format("{} is a netlink socket with unread messages", At(process, fd)),
                "try again once the program has read them");
}

Error EstablishedTcp(const TreeProcess& process, std::size_t count, std::string_view example) {
  return Refuse("NEEDS_TCP_ESTABLISHED",
                fmt::format("{} has {} open TCP connection{}: {}", process.Describe(), count,
                            count == 1 ? "" : fmt::format("s, among them"), example),
                "pass --tcp-established");
}

Error PendingTcp(const TreeProcess& process, int fd, std::string_view address, unsigned waiting) {
  return Refuse(
      "NEEDS_TCP_SKIP_IN_FLIGHT",
      fmt::format("{} listens on {} and has {} connection{} waiting to be accepted",
                  At(process, fd), address, waiting, waiting == 1 ? "" : "s"),
      "try again once the program has accepted them, or pass --tcp-skip-in-flight to lose "
      "them");
}

Error UnixStreamOutside(const TreeProcess& process, int fd, std::string_view holder) {
  return Refuse(
      "UNIX_PEER_OUTSIDE",
      fmt::format("{} is a unix socket connected to {}, outside the tree", At(process, fd), holder),
      "only descriptors 0, 1 and 2 can be given something else at restore: checkpoint a tree "
      "that contains both ends, or have the program close the connection first");
}

Error UnixDatagramOutside(const TreeProcess& process, int fd, std::string_view peer) {
  return Refuse("NEEDS_EXT_UNIX_SK",
                fmt::format("{} is a unix datagram socket connected to {}, outside the tree",
                            At(process, fd), peer),
                "pass --ext-unix-sk: the restore connects to that address again");
}

Error UnnamedDatagramOutside(const TreeProcess& process, int fd, std::string_view holder) {
  return Refuse(
      "UNIX_PEER_OUTSIDE",
      fmt::format("{} is a unix datagram socket whose nameless peer {} has, outside the tree",
                  At(process, fd), holder),
      "a peer without an address cannot be found again: checkpoint a tree that contains both "
      "ends, or have the program close the socket first");
}

Error UnixNotAccepted(const TreeProcess& process, int fd) {
  return Refuse("UNIX_NOT_ACCEPTED",
                fmt::format("{} is a unix connection that the server, outside the tree, has not "
                            "accepted yet",
                            At(process, fd)),
                "try again once it has");
}

Error UnixBacklog(const TreeProcess& process, int fd, std::string_view name) {
  return Refuse(
      "UNIX_BACKLOG",
      fmt::format("{} listens on {} and has a connection waiting that was closed or written "
                  "to before it was accepted",
                  At(process, fd), name),
      "try again once the program has accepted it");
}

}  // namespace crd::refusal
