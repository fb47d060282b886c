#include "daemon/criu/swrk_criu.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <daemon/criu/criu_rpc.pb.h>
#include <sys/stat.h>

#include "daemon/base/files.h"
#include "daemon/criu/criu_log.h"
#include "daemon/criu/criu_options.h"
#include "daemon/criu/failure.h"
#include "daemon/criu/session.h"
#include "daemon/criu/statistics.h"

namespace crd::criu {
namespace {

// CRIU's names of what it asks (criu/action-scripts.c; 4.1 - 4.3). It waits for an answer to names
// that are not here as well, and gets "go on".
constexpr std::array<std::pair<std::string_view, DumpStage>, 4> kDumpStages = {{
    {"pre-dump", DumpStage::kPreDump},
    {"network-lock", DumpStage::kNetworkLock},
    {"post-dump", DumpStage::kPostDump},
    {"network-unlock", DumpStage::kNetworkUnlock},
}};
constexpr std::array<std::pair<std::string_view, RestoreStage>, 7> kRestoreStages = {{
    {"pre-restore", RestoreStage::kPreRestore},
    {"setup-namespaces", RestoreStage::kSetupNamespaces},
    {"post-setup-namespaces", RestoreStage::kPostSetupNamespaces},
    {"post-restore", RestoreStage::kPostRestore},
    {"network-unlock", RestoreStage::kNetworkUnlock},
    {"pre-resume", RestoreStage::kPreResume},
    {"post-resume", RestoreStage::kPostResume},
}};

// Comes with the master of a terminal.
constexpr std::string_view kOrphanTerminal = "orphan-pts-master";

template <typename Stages>
auto FindStage(const Stages& stages, std::string_view script) {
  const auto* const found = std::find_if(stages.begin(), stages.end(),
                                         [&](const auto& stage) { return stage.first == script; });
  return found == stages.end() ? std::nullopt : std::optional(found->second);
}

// The end of a log: the errors are there, and what a big tree logs can be very long.
std::string ReadLogEnd(FdRef directory, const std::string& name) {
  constexpr off_t kLimit = 1 << 20;
  auto file = OpenRegularAt(directory, name);
  struct stat status {};
  if (!file.ok() || ::fstat(file->get(), &status) != 0) return {};
  std::string log(static_cast<std::size_t>(std::min<off_t>(status.st_size, kLimit)), '\0');
  const off_t start = status.st_size - static_cast<off_t>(log.size());
  const ssize_t got = ::pread(file->get(), log.data(), log.size(), start);
  log.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return log;
}

bool Succeeded(const SessionEnd& end, criu_rpc::criu_req_type type) {
  return !end.stopped && end.answer && end.answer->type() == type && end.answer->success();
}

// What an earlier attempt left behind must not be taken for words about this one.
Result<void> ForgetEarlier(FdRef work, const char* log, const char* statistics) {
  TRY(RemoveTreeAt(work, log));
  return RemoveTreeAt(work, statistics);
}

}  // namespace

std::unique_ptr<SwrkCriu> SwrkCriu::Create(std::string path, Children& children,
                                           const KernelTraits& kernel, const Patience& patience) {
  std::unique_ptr<SwrkCriu> criu(new SwrkCriu(std::move(path), children, patience));
  const auto version = criu->AskVersion();
  if (version.ok()) {
    criu->version_ = *version;
    criu->problem_ = FindIncompatibility(*version, kernel);
  } else {
    criu->problem_ = version.error().message;
  }
  return criu;
}

Error SwrkCriu::Unusable(std::string_view why) const {
  return {.code = Code::kFailedPrecondition,
          .reason = "CRIU_UNUSABLE",
          .message = fmt::format("CRIU '{}' cannot be used: {}", path_, why),
          .hint = "install a CRIU that works on this kernel, or name another one with --criu"};
}

Result<Connection> SwrkCriu::Start(const ConnectionSpec& spec) const {
  if (!problem_.empty()) return Unusable(problem_);
  auto connection = Connection::Open(children_, spec);
  if (!connection.ok()) {
    const int number = connection.error().sys_errno;
    const bool useless = number == ENOENT || number == EACCES || number == ENOEXEC;
    return useless ? Unusable(connection.error().message) : connection.error();
  }
  return connection;
}

Result<Version> SwrkCriu::AskVersion() const {
  if (!path_.starts_with('/')) {
    return Error{.code = Code::kInvalidArgument,
                 .message = fmt::format("'{}' is not an absolute path", path_)};
  }
  Connection connection = TRY(Connection::Open(children_, {.path = path_}));
  criu_rpc::criu_req request;
  request.set_type(criu_rpc::VERSION);
  // A failure shows as an end without an answer.
  static_cast<void>(connection.Send(request.SerializeAsString()));
  const Incoming incoming = TRY(connection.Next(SteadyClock::now() + patience_.version, nullptr));
  if (incoming.arrival == Arrival::kTimeout) connection.Kill();
  const Ending ending = connection.Finish(SteadyClock::now() + patience_.exit);
  if (incoming.arrival != Arrival::kPacket) {
    const std::string words = Printable(connection.Complaints());
    return Error::Internal("it does not tell its version: {}{}{}", ending.ToString(),
                           words.empty() ? "" : ": ", words);
  }
  criu_rpc::criu_resp answer;
  if (!answer.ParseFromString(incoming.packet) || !answer.has_version()) {
    return Error::Internal("it does not tell its version: {} bytes that are no answer",
                           incoming.packet.size());
  }
  return Version{.major = answer.version().major_number(),
                 .minor = answer.version().minor_number(),
                 .sublevel = answer.version().sublevel()};
}

Result<DumpReport> SwrkCriu::Dump(const DumpRequest& request, const DumpObserver& observer,
                                  const CancelToken& cancel) {
  const criu_rpc::criu_opts options = TRY(DumpOptionsFor(request));
  TRY(ForgetEarlier(request.work, kDumpLog, kDumpStatisticsFile));
  Connection connection = TRY(Start(
      {.path = path_, .inherit = {}, .cgroup = request.cgroup, .namespaces = request.namespaces}));
  Session session(
      Action::kDump, std::move(connection),
      [&](const Notification& notification) -> Result<void> {
        const auto stage = FindStage(kDumpStages, notification.script);
        return stage ? observer(*stage) : Result<void>();
      },
      request.deadline, cancel, patience_);
  const SessionEnd end = session.Run(options);
  if (!Succeeded(end, criu_rpc::DUMP)) {
    return ExplainFailure(end, ReadLogEnd(request.work, kDumpLog),
                          fmt::format("dump process {}", request.pid));
  }
  DumpReport report;
  // The dump is good without its figures.
  if (auto figures = ReadDumpStatistics(request.work); figures.ok()) report.statistics = *figures;
  return report;
}

Result<RestoreReport> SwrkCriu::Restore(const RestoreRequest& request,
                                        const RestoreObserver& observer,
                                        const CancelToken& cancel) {
  const criu_rpc::criu_opts options = TRY(RestoreOptionsFor(request));
  TRY(ForgetEarlier(request.work, kRestoreLog, kRestoreStatisticsFile));
  ConnectionSpec spec{
      .path = path_, .inherit = {}, .cgroup = request.cgroup, .namespaces = request.namespaces};
  for (std::size_t i = 0; i < request.inherit.size(); ++i) {
    spec.inherit.emplace_back(request.inherit[i].second, kFirstInherited + static_cast<int>(i));
  }
  std::vector<UniqueFd> cgroups;
  for (const std::string& path : request.cgroups_v1) {
    cgroups.push_back(TRY(OpenDirectory(path)));
    spec.cgroups_v1.push_back(cgroups.back().ref());
  }
  Connection connection = TRY(Start(spec));
  pid_t root = 0;
  Session session(
      Action::kRestore, std::move(connection),
      [&](Notification notification) -> Result<void> {
        if (notification.pid > 0) root = notification.pid;
        if (notification.script == kOrphanTerminal && request.take_console &&
            !notification.descriptors.empty()) {
          return request.take_console(std::move(notification.descriptors.front()));
        }
        const auto stage = FindStage(kRestoreStages, notification.script);
        // From here on it may end at any time, and its exit status is not to be lost.
        if (stage == RestoreStage::kPostRestore && root > 0) children_.Adopt(root);
        return stage ? observer(*stage, root) : Result<void>();
      },
      request.deadline, cancel, patience_);
  const SessionEnd end = session.Run(options);
  if (!Succeeded(end, criu_rpc::RESTORE)) {
    if (root > 0) children_.Disown(root);
    return ExplainFailure(end, ReadLogEnd(request.work, kRestoreLog), "restore the tree");
  }
  RestoreReport report{.pid = end.answer->restore().pid()};
  if (auto figures = ReadRestoreStatistics(request.work); figures.ok()) {
    report.statistics = *figures;
  }
  return report;
}

}  // namespace crd::criu
