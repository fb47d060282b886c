#include "tests/fakes/fake_criu.h"

#include <algorithm>
#include <chrono>
#include <csignal>

#include <daemon/criu/criu_images.pb.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/files.h"
#include "daemon/base/ids.h"
#include "daemon/base/proc.h"

namespace crd::testing {
namespace {

// How soon a hanging call hears of a cancellation.
constexpr auto kTick = std::chrono::milliseconds(2);
constexpr auto kStepPatience = std::chrono::seconds(10);

std::string LittleEndian(std::uint32_t number) {
  std::string bytes;
  for (unsigned shift = 0; shift < 32; shift += 8) {
    bytes.push_back(static_cast<char>((number >> shift) & 0xFFU));
  }
  return bytes;
}

// A file as CRIU writes them: magics, then records with their lengths.
std::string Image(const std::vector<std::uint32_t>& magics,
                  const std::vector<std::string>& records) {
  std::string bytes;
  for (const std::uint32_t magic : magics) bytes += LittleEndian(magic);
  for (const std::string& record : records) {
    bytes += LittleEndian(static_cast<std::uint32_t>(record.size())) + record;
  }
  return bytes;
}

std::string InventoryImage() {
  criu_images::inventory_entry entry;
  entry.set_img_version(1);
  entry.set_dump_criu_run_id("fake-" + RandomHex16());
  return Image({0x58313116}, {entry.SerializeAsString()});
}

Result<std::string> TreeImage(const ProcessTree& tree) {
  std::vector<std::string> records;
  for (const TreeProcess& process : tree.processes()) {
    criu_images::pstree_entry entry;
    entry.set_pid(static_cast<std::uint32_t>(process.pid));
    entry.set_ppid(process.pid == tree.root().pid ? 0 : static_cast<std::uint32_t>(process.ppid));
    entry.set_pgid(static_cast<std::uint32_t>(process.pgid));
    entry.set_sid(static_cast<std::uint32_t>(process.sid));
    const auto directory = TRY(proc::ProcDir::Open(process.pid));
    for (const int thread : TRY(directory.ListNumbers("task"))) {
      entry.add_threads(static_cast<std::uint32_t>(thread));
    }
    records.push_back(entry.SerializeAsString());
  }
  return Image({0x54564319, 0x50273030}, records);
}

// As CRIU does: no sync, no rename.
Result<void> Write(FdRef directory, const std::string& name, std::string_view content) {
  const UniqueFd file(
      ::openat(directory.get(), name.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!file.valid()) return Error::Errno("open '{}'", name);
  if (::write(file.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size())) {
    return Error::Errno("write '{}'", name);
  }
  return {};
}

void SignalAll(const ProcessTree& tree, int signal) {
  for (const TreeProcess& process : tree.processes()) {
    const auto open = PidFd::Reopen(process.identity());
    if (open.ok()) static_cast<void>(open->Signal(signal));
  }
}

// Starts a program that has not begun yet: it stops itself first, and this waits until it has.
Result<Child> LaunchStopped(Children& children, const std::vector<std::string>& program) {
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  LaunchSpec spec{.argv = {"/bin/sh", "-c", "kill -STOP $$; exec \"$@\"", "restored"},
                  .descriptors = {{null.ref(), 0}, {null.ref(), 1}, {null.ref(), 2}},
                  .new_session = true};
  spec.argv.insert(spec.argv.end(), program.begin(), program.end());
  Child child = TRY(children.Launch(spec));
  siginfo_t info{};
  ::waitid(P_PIDFD, static_cast<id_t>(child.process().fd().get()), &info,
           WSTOPPED | WEXITED | WNOWAIT);
  return child;
}

}  // namespace

FakeCriu::FakeCriu(Children& children) : children_(children) {}

FakeCriu::~FakeCriu() = default;

Result<criu::DumpReport> FakeCriu::Dump(const criu::DumpRequest& request,
                                        const criu::DumpObserver& observer,
                                        const CancelToken& cancel) {
  {
    const std::lock_guard lock(mutex_);
    ++dumps_;
  }
  TRY(Reach(CriuStep::kDumpBegins, request.deadline, cancel));
  TRY(observer(criu::DumpStage::kPreDump));
  const ProcessTree tree = TRY(ReadProcessTree(request.pid));
  SignalAll(tree, SIGSTOP);
  Cleanup thaw([&] { SignalAll(tree, SIGCONT); });
  auto report = DumpStopped(request, tree, observer, cancel);
  if (report.ok() && !request.options.leave_running) thaw.Cancel();
  return report;
}

Result<criu::DumpReport> FakeCriu::DumpStopped(const criu::DumpRequest& request,
                                               const ProcessTree& tree,
                                               const criu::DumpObserver& observer,
                                               const CancelToken& cancel) {
  TRY(WriteImages(request, tree, cancel));
  TRY(Reach(CriuStep::kImagesComplete, request.deadline, cancel));
  TRY(observer(criu::DumpStage::kPostDump));
  if (!request.options.leave_running) SignalAll(tree, SIGKILL);
  TRY(Reach(CriuStep::kDumpCommitted, request.deadline, cancel));
  TRY(observer(criu::DumpStage::kNetworkUnlock));
  return criu::DumpReport{.statistics = {.freezing_us = 10,
                                         .frozen_us = 200,
                                         .memdump_us = 100,
                                         .memwrite_us = 50,
                                         .pages_scanned = 1000,
                                         .pages_written = pages_bytes_ / 4096}};
}

Result<void> FakeCriu::WriteImages(const criu::DumpRequest& request, const ProcessTree& tree,
                                   const CancelToken& cancel) {
  TRY(Write(request.work, "dump.log", "(00.000000) Version: 4.2 (fake)\n"));
  TRY(Write(request.images, "inventory.img", InventoryImage()));
  TRY(Write(request.images, "pstree.img", TRY(TreeImage(tree))));
  const std::string half(pages_bytes_ / 2, 'm');
  TRY(Write(request.images, "pages-1.img", half));
  TRY(Reach(CriuStep::kImagesHalf, request.deadline, cancel));
  TRY(Write(request.images, "pages-1.img", half));
  for (const TreeProcess& process : tree.processes()) {
    TRY(Write(request.images, fmt::format("core-{}.img", process.pid), process.comm));
  }
  return {};
}

Result<criu::RestoreReport> FakeCriu::Restore(const criu::RestoreRequest& request,
                                              const criu::RestoreObserver& observer,
                                              const CancelToken& cancel) {
  SeenRestore seen{
      .tcp_established = request.tcp_established, .tcp_close = request.tcp_close, .inherit = {}};
  for (const auto& [key, fd] : request.inherit) {
    struct stat status {};
    ::fstat(fd.get(), &status);
    seen.inherit.emplace_back(key, status.st_ino);
  }
  {
    const std::lock_guard lock(mutex_);
    restores_.push_back(std::move(seen));
  }
  TRY(Reach(CriuStep::kRestoreBegins, request.deadline, cancel));
  TRY(observer(criu::RestoreStage::kPreRestore, 0));
  // After an error, this kills and reaps it.
  Child root = TRY(MakeStopped(request));
  TRY(Reach(CriuStep::kTasksMade, request.deadline, cancel));
  TRY(observer(criu::RestoreStage::kPostRestore, root.pid()));
  TRY(Reach(CriuStep::kRestoreAccepted, request.deadline, cancel));
  TRY(observer(criu::RestoreStage::kNetworkUnlock, root.pid()));
  TRY(observer(criu::RestoreStage::kPreResume, root.pid()));
  TRY(root.process().Signal(SIGCONT));
  TRY(observer(criu::RestoreStage::kPostResume, root.pid()));
  const criu::RestoreReport report{
      .pid = root.pid(),
      .statistics = {.forking_us = 10, .restore_us = 300, .pages_restored = pages_bytes_ / 4096}};
  const std::lock_guard lock(mutex_);
  restored_.push_back(std::move(root));
  return report;
}

Result<Child> FakeCriu::MakeStopped(const criu::RestoreRequest& request) {
  Child root = TRY(LaunchStopped(children_, program_));
  if (request.cgroup.valid()) {
    const UniqueFd procs(::openat(request.cgroup.get(), "cgroup.procs", O_WRONLY | O_CLOEXEC));
    const std::string pid = std::to_string(root.pid());
    if (!procs.valid() || ::write(procs.get(), pid.data(), pid.size()) < 0) {
      return Error::Errno("move the restored root into its cgroup");
    }
  }
  return root;
}

Result<void> FakeCriu::Reach(CriuStep step, Deadline deadline, const CancelToken& cancel) {
  std::unique_lock lock(mutex_);
  reached_.insert(step);
  changed_.notify_all();
  while (hanging_.contains(step)) {
    changed_.wait_for(lock, kTick);
    if (cancel.cancelled()) return Error{.code = Code::kCancelled, .message = "criu was stopped"};
    if (SteadyClock::now() >= deadline) {
      return Error{.code = Code::kDeadlineExceeded, .message = "criu took too long"};
    }
  }
  const auto failure = failures_.find(step);
  if (failure != failures_.end()) return failure->second;
  return {};
}

void FakeCriu::FailAt(CriuStep step, Error error) {
  const std::lock_guard lock(mutex_);
  failures_.insert_or_assign(step, std::move(error));
}

void FakeCriu::HangAt(CriuStep step) {
  const std::lock_guard lock(mutex_);
  hanging_.insert(step);
  reached_.erase(step);
}

void FakeCriu::Release(CriuStep step) {
  const std::lock_guard lock(mutex_);
  hanging_.erase(step);
  failures_.erase(step);
  changed_.notify_all();
}

bool FakeCriu::AwaitStep(CriuStep step) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kStepPatience, [&] { return reached_.contains(step); });
}

std::vector<FakeCriu::SeenRestore> FakeCriu::restores() const {
  const std::lock_guard lock(mutex_);
  return restores_;
}

int FakeCriu::dumps() const {
  const std::lock_guard lock(mutex_);
  return dumps_;
}

}  // namespace crd::testing
