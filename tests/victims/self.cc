#include "tests/victims/self.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <fcntl.h>
#include <sys/mman.h>

namespace crd::victims {

Self::Self(const char* report_path) : path_(report_path), report_(nullptr) {
  const int fd = ::open(report_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || ::ftruncate(fd, kReportSize) != 0) ::_exit(kBroken);
  void* page = ::mmap(nullptr, kReportSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  if (page == MAP_FAILED) ::_exit(kBroken);
  report_ = static_cast<Report*>(page);
  report_->magic = Report::kMagic;
  report_->pid.store(::getpid());
}

int Self::Activities(int count) {
  const auto first = report_->activities.fetch_add(static_cast<std::uint32_t>(count));
  Require(static_cast<int>(first) + count <= Report::kActivities, "too many activities");
  return static_cast<int>(first);
}

void Self::Tick(int activity, std::uint64_t count) { report_->counts[activity].store(count); }

void Self::Ready() { report_->state.store(Report::kReady); }

void Self::SetValue(int index, std::int64_t value) { report_->values[index].store(value); }

void Self::Require(bool good, const char* what) const {
  if (!good) Fail(what, 0);
}

int Self::RequireCall(long result, const char* what) const {
  if (result < 0) Fail(what, errno);
  return static_cast<int>(result);
}

std::string Self::Beside(const char* suffix) const { return path_ + "." + suffix; }

void Self::Pause() {
  const timespec pause{.tv_sec = 0, .tv_nsec = 1'000'000};
  ::nanosleep(&pause, nullptr);
}

void Self::Fail(const char* what, int error) const {
  std::snprintf(report_->text, Report::kText, "pid %d: %s%s%s", ::getpid(), what,
                error == 0 ? "" : ": ", error == 0 ? "" : ::strerrordesc_np(error));
  report_->state.store(Report::kFailed);
  ::_exit(kBroken);
}

}  // namespace crd::victims
