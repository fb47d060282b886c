#include "daemon/criu/criu_log.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include <fmt/format.h>

namespace crd::criu {
namespace {

constexpr std::size_t kMaxLines = 20;
constexpr std::size_t kMaxLineLength = 512;

// What CRIU prints (a part of the line, and a second one where the first is not enough) and what it
// means. The first row that fits a line counts.
struct Known {
  std::string_view part;
  std::string_view also;
  Code code;
  std::string_view reason;
  std::string_view message;
  std::string_view hint;
};

constexpr Code kRefused = Code::kFailedPrecondition;

constexpr std::array kKnown = {
    Known{"Can't fork for", "File exists", Code::kAlreadyExists, "PID_TAKEN",
          "a process id that the tree needs is taken",
          "end the process that has it, or restore after it has gone"},
    Known{"consider using --tcp-established", "", kRefused, "TCP_ESTABLISHED",
          "it has an open TCP connection", "ask for tcp_established to keep its connections"},
    Known{"Connected TCP socket in image", "", kRefused, "TCP_ESTABLISHED",
          "the checkpoint holds open TCP connections",
          "ask for tcp_established to go on with them, or tcp_close to drop them"},
    Known{"n-flight connection", "", kRefused, "TCP_IN_FLIGHT",
          "a listening socket has connections that nobody has accepted yet",
          "try again, or ask for tcp_skip_in_flight to drop them"},
    Known{"file locks are hold", "", kRefused, "FILE_LOCKS", "it holds file locks",
          "ask for file_locks to keep them"},
    Known{"half of stream unix connection", "", kRefused, "EXTERNAL_UNIX_SOCKET",
          "it has a unix stream connection to a process outside the tree",
          "dump both ends in one tree, or name the socket as external: unix[inode]"},
    Known{"Can't dump name-less external socket", "", kRefused, "EXTERNAL_UNIX_SOCKET",
          "it has a unix socket whose other end is outside the tree and has no name",
          "name the socket as external: unix[inode]"},
    Known{"xternal socket", "Consider using", kRefused, "EXTERNAL_UNIX_SOCKET",
          "it has a unix socket whose other end is outside the tree",
          "ask for ext_unix_sk (datagram sockets), or name it as external: unix[inode]"},
    Known{"Can't dump ghost file", "increase limit", kRefused, "GHOST_TOO_LARGE",
          "it has a deleted file open that is larger than what is kept in a checkpoint",
          "raise the ghost limit above that size"},
    Known{"Can't create link remap", "", kRefused, "LINK_REMAP",
          "it has a file open whose name was deleted while other names remain",
          "ask for link_remap, which makes a temporary name beside it"},
    Known{"A session leader of", "is outside of its pid namespace", kRefused,
          "SESSION_OUTSIDE_NAMESPACE",
          "its session is led by a process outside of its pid namespace",
          "start the program with setsid"},
    Known{"Can't link remap to", "File exists", Code::kAborted, "LINK_REMAP",
          "another checkpoint or restore has the temporary name that a deleted file needs",
          "try again"},
    Known{"is not a session leader", "", kRefused, "SHELL_JOB",
          "its root process is not the leader of its session: it was started from a shell",
          "ask for shell_job, or start it with setsid"},
    Known{"Found slave peer index", "", kRefused, "SHELL_JOB",
          "it has a terminal open whose other end is outside the tree", "ask for shell_job"},
    Known{"No task found with sid", "", kRefused, "SHELL_JOB",
          "its terminal belongs to a session outside the tree", "ask for shell_job"},
    Known{"tty to inherit session from", "", kRefused, "SHELL_JOB",
          "it needs a terminal and was not given one", "restore it from a terminal"},
    Known{"Can't lookup mount=", "", kRefused, "FOREIGN_MOUNT",
          "it has a file open on a mount that is not visible in its own mount namespace",
          "name the file as external: file[mount:inode], or start it without inherited files"},
    Known{"on overmounted mounts", "", kRefused, "FOREIGN_MOUNT",
          "it has a file open on a mount that another mount covers", "unmount what covers it"},
    Known{"anon_inode:[io_uring]", "", kRefused, "IO_URING",
          "it uses io_uring, which CRIU cannot dump",
          "switch io_uring off in the program, or with sysctl kernel.io_uring_disabled=2"},
    Known{"has bad build-ID", "", kRefused, "FILE_CHANGED",
          "a file that it uses is another one than at the checkpoint",
          "put the file of that time back"},
    Known{"has bad size", "", kRefused, "FILE_CHANGED",
          "a file that it uses has another size than at the checkpoint",
          "put the file of that time back"},
    Known{"has bad mode", "", kRefused, "FILE_CHANGED",
          "a file that it uses has other permissions than at the checkpoint",
          "set the permissions of that time"},
    Known{"Can't open file", "No such file or directory", kRefused, "FILE_MISSING",
          "a file that it uses is missing", "put the file of that time back"},
    Known{"Can't get rlimit", "Operation not permitted", Code::kPermissionDenied,
          "NEEDS_CAPABILITY", "crd may not read the limits of a process of another user",
          "run crd with CAP_SYS_RESOURCE"},
    Known{"Dirty tracking is OFF", "", Code::kUnimplemented, "NO_DIRTY_TRACKING",
          "this kernel does not track changed memory (CONFIG_MEM_SOFT_DIRTY)",
          "make a full checkpoint"},
    Known{"Unable to interrupt task", "No such process", Code::kNotFound, "PROCESS_GONE",
          "there is no such process", "look it up again: it may have ended"},
    Known{"Unable to interrupt task", "Operation not permitted", kRefused, "TRACED",
          "another program traces it (a debugger, strace), or it may not be traced",
          "detach the tracer: TracerPid in /proc/PID/status names it"},
    Known{
        "seccomp: ", "", kRefused, "SECCOMP", "its seccomp filters cannot be handled",
        "run crd without a seccomp filter of its own; the kernel needs CONFIG_CHECKPOINT_RESTORE"},
    Known{"No space left on device", "", Code::kResourceExhausted, "NO_SPACE",
          "there is no room left for the images", "free some space under the state directory"},
    Known{"16 opt: Operation not supported", "", kRefused, "CRIU_UNUSABLE",
          "this CRIU cannot dump network sockets on this kernel", "install CRIU 4.2 or later"},
    Known{"Can't dump file", "of that type", kRefused, "UNSUPPORTED_FILE",
          "it has a file open of a kind that CRIU cannot dump", "close it, or name it as external"},
    Known{"Unknown shit", "", kRefused, "UNSUPPORTED_FILE",
          "it has mapped a file of a kind that CRIU cannot dump", "unmap it before the checkpoint"},
};

// CRIU raises its own limit of descriptors and goes on when it may not (without CAP_SYS_RESOURCE):
// an error by its level, never the reason of anything.
bool IsHarmless(std::string_view line) {
  return line.find("Can't setup RLIMIT_NOFILE for self") != std::string_view::npos;
}

bool IsError(std::string_view line) {
  return line.find("Error (") != std::string_view::npos && !IsHarmless(line);
}

// Lines that explain a failure though CRIU takes them for warnings only.
bool IsTellingWarning(std::string_view line) {
  return line.find("Unable to interrupt task") != std::string_view::npos;
}

}  // namespace

std::string Printable(std::string_view line) {
  std::string text;
  for (const char byte : line.substr(0, kMaxLineLength)) {
    if (byte >= ' ' && byte <= '~') {
      text.push_back(byte);
    } else {
      text += fmt::format("\\x{:02x}", static_cast<unsigned>(static_cast<unsigned char>(byte)));
    }
  }
  text.resize(std::min(text.size(), kMaxLineLength));
  return text;
}

std::string_view WithoutPrefix(std::string_view line) {
  const std::size_t error = line.find("Error (");
  if (error == std::string_view::npos) return line;
  const std::size_t end = line.find("): ", error);
  return end == std::string_view::npos ? line : line.substr(end + 3);
}

std::optional<Diagnosis> DiagnoseLine(std::string_view line) {
  for (const Known& known : kKnown) {
    if (line.find(known.part) == std::string_view::npos) continue;
    if (line.find(known.also) == std::string_view::npos) continue;
    return Diagnosis{
        .code = known.code,
        .reason = std::string(known.reason),
        .message = fmt::format("{} ({})", known.message, Printable(WithoutPrefix(line))),
        .hint = std::string(known.hint)};
  }
  return std::nullopt;
}

LogFindings StudyLog(std::string_view log) {
  LogFindings findings;
  while (!log.empty()) {
    const std::size_t end = std::min(log.find('\n'), log.size());
    // Bounded before it is searched: each line costs the same however long it is.
    const std::string_view line = log.substr(0, std::min(end, 4 * kMaxLineLength));
    log.remove_prefix(std::min(end + 1, log.size()));
    const bool error = IsError(line);
    if (!error && !IsTellingWarning(line)) continue;
    if (error && findings.lines.size() < kMaxLines) findings.lines.push_back(Printable(line));
    if (!findings.diagnosis) findings.diagnosis = DiagnoseLine(line);
  }
  return findings;
}

}  // namespace crd::criu
