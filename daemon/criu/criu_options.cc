#include "daemon/criu/criu_options.h"

#include <limits>
#include <string>

#include <fmt/format.h>
#include <sched.h>

namespace crd::criu {
namespace {

// Everything: the log of a failure can't be had a second time. Costs a small tree half a
// millisecond.
constexpr int kLogLevel = 4;

criu_rpc::criu_opts CommonOptions(FdRef images, FdRef work, const char* log) {
  criu_rpc::criu_opts options;
  // Numbers of this process: CRIU looks them up in /proc/<SO_PEERCRED pid>/fd, and the peer is
  // whoever made the socket pair. Both stay open until it has answered.
  options.set_images_dir_fd(images.get());
  options.set_work_dir_fd(work.get());
  options.set_log_level(kLogLevel);
  options.set_log_file(log);
  // Also what makes CRIU resume the tree when we vanish instead of killing it.
  options.set_notify_scripts(true);
  // Its default mode strips mount options from the host's cgroup2 (criu#3029, as of 4.3).
  options.set_manage_cgroups_mode(criu_rpc::IGNORE);
  return options;
}

}  // namespace

Result<criu_rpc::criu_opts> DumpOptionsFor(const DumpRequest& request) {
  const DumpOptions& wanted = request.options;
  if (wanted.ghost_limit > std::numeric_limits<std::uint32_t>::max()) {
    return Error{
        .code = Code::kInvalidArgument,
        .message = fmt::format("ghost limit of {} bytes: CRIU takes at most {}", wanted.ghost_limit,
                               std::numeric_limits<std::uint32_t>::max())};
  }
  criu_rpc::criu_opts options = CommonOptions(request.images, request.work, kDumpLog);
  options.set_pid(request.pid);
  // CRIU makes its nftables lock in eleven transactions, one grace period of the kernel's each,
  // while the tree is frozen (4.2: 130 ms of 145), and it makes it whether there are connections or
  // not. Without tcp_established a tree that has any is refused: there is nothing to keep from
  // seeing that it is gone. Iptables, the default, need not be installed. A restore takes the
  // method from the images.
  options.set_network_lock(wanted.tcp_established ? criu_rpc::NFTABLES : criu_rpc::SKIP);
  if (wanted.leave_running) options.set_leave_running(true);
  if (wanted.tcp_established) options.set_tcp_established(true);
  if (wanted.tcp_skip_in_flight) options.set_tcp_skip_in_flight(true);
  if (wanted.file_locks) options.set_file_locks(true);
  if (wanted.ext_unix_sk) options.set_ext_unix_sk(true);
  if (wanted.shell_job) options.set_shell_job(true);
  if (wanted.link_remap) options.set_link_remap(true);
  if (wanted.ghost_limit != 0) {
    options.set_ghost_limit(static_cast<std::uint32_t>(wanted.ghost_limit));
  }
  for (const std::string& external : request.external) options.add_external(external);
  if (!request.freeze_cgroup.empty()) options.set_freeze_cgroup(request.freeze_cgroup);
  if (request.empty_netns) options.set_empty_ns(CLONE_NEWNET);
  // Only then: it lets a terminal whose other end is outside the tree be dumped without anybody
  // having asked for it (shell_job), and nobody would take the new end at restore.
  if (request.console) options.set_orphan_pts_master(true);
  return options;
}

Result<criu_rpc::criu_opts> RestoreOptionsFor(const RestoreRequest& request) {
  if (request.inherit.size() > static_cast<std::size_t>(kMaxInherited)) {
    return Error{
        .code = Code::kInvalidArgument,
        .message = fmt::format("{} descriptors to inherit: at most {} can be handed to CRIU",
                               request.inherit.size(), kMaxInherited)};
  }
  criu_rpc::criu_opts options = CommonOptions(request.images, request.work, kRestoreLog);
  // The root becomes a sibling of CRIU: a child of the thread that started CRIU, of ours.
  options.set_rst_sibling(true);
  // What a dump was made with and has to be given again, for the images do not record it (as of
  // CRIU 4.3): without tcp_established (or tcp_close), ext_unix_sk and shell_job CRIU refuses such
  // a socket or terminal; without file_locks it restores the tree without its locks and says
  // nothing. link_remap matters to the dump alone.
  if (request.tcp_established) options.set_tcp_established(true);
  if (request.tcp_close) options.set_tcp_close(true);
  if (request.file_locks) options.set_file_locks(true);
  if (request.ext_unix_sk) options.set_ext_unix_sk(true);
  if (request.shell_job) options.set_shell_job(true);
  if (request.link_remap) options.set_link_remap(true);
  if (!request.root.empty()) options.set_root(request.root);
  if (request.empty_netns) options.set_empty_ns(CLONE_NEWNET);
  if (!request.cgroup_yard.empty()) {
    options.set_manage_cgroups_mode(criu_rpc::CG_NONE);
    options.set_cgroup_yard(request.cgroup_yard);
  }
  for (const auto& [type, path] : request.join) {
    criu_rpc::join_namespace& join = *options.add_join_ns();
    join.set_ns(type);
    join.set_ns_file(path);
  }
  if (request.take_console) options.set_orphan_pts_master(true);
  if (request.evasive_devices) options.set_evasive_devices(true);
  for (const std::string& external : request.external) options.add_external(external);
  int number = kFirstInherited;
  for (const auto& [key, descriptor] : request.inherit) {
    criu_rpc::inherit_fd& inherited = *options.add_inherit_fd();
    inherited.set_key(key);
    inherited.set_fd(number++);
  }
  return options;
}

}  // namespace crd::criu
