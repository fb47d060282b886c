#include "client/progress.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/duration.h"
#include "client/printable.h"
#include "client/size.h"

namespace crd::client {
namespace {

constexpr std::chrono::milliseconds kSilence{200};
constexpr std::chrono::milliseconds kRefresh{100};
constexpr std::size_t kBarWidth = 24;
constexpr std::size_t kUsualColumns = 80;
constexpr std::string_view kWipe = "\r\x1b[K";

std::size_t Columns(FdRef terminal) {
  winsize size{};
  if (::ioctl(terminal.get(), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kUsualColumns;
  return size.ws_col;
}

std::string Bar(std::uint64_t done, std::uint64_t total) {
  // The total is an estimate; a bar that is full says that it was passed.
  const double part = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const auto filled = static_cast<std::size_t>(part * kBarWidth);
  return fmt::format("[{}{}] {:3.0f}%", std::string(filled, '#'),
                     std::string(kBarWidth - filled, '-'), part * 100);
}

}  // namespace

std::string ProgressLine(const std::optional<v1::Progress>& progress, std::uint64_t elapsed_us,
                         std::size_t columns) {
  std::string line;
  if (!progress) {
    line = "waiting for crd";
  } else {
    line = Printable(progress->stage());
    if (progress->total_bytes() != 0) {
      line += "  " + Bar(progress->done_bytes(), progress->total_bytes());
      line += fmt::format("  {} of {}", FormatSize(progress->done_bytes()),
                          FormatSize(progress->total_bytes()));
    } else if (progress->done_bytes() != 0) {
      line += "  " + FormatSize(progress->done_bytes());
    }
  }
  line += "  " + FormatDuration(elapsed_us);
  // The last column stays free: some terminals would go on to the next line.
  if (columns > 0 && line.size() >= columns) line.resize(columns - 1);
  return line;
}

Progress::Progress(Output& err, Show show) : err_(err) {
  if (show == Show::kOnTerminal && ::isatty(err.fd().get()) == 1) {
    thread_ = std::thread([this] { Run(); });
  }
}

Progress::~Progress() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Progress::Update(const v1::Progress& progress) {
  const std::lock_guard lock(mutex_);
  latest_ = progress;
}

void Progress::Run() {
  std::unique_lock lock(mutex_);
  if (changed_.wait_for(lock, kSilence, [this] { return over_; })) return;
  do {
    const auto elapsed = static_cast<std::uint64_t>(MicrosSince(begun_));
    err_.Write(std::string(kWipe) + ProgressLine(latest_, elapsed, Columns(err_.fd())));
  } while (!changed_.wait_for(lock, kRefresh, [this] { return over_; }));
  err_.Write(kWipe);
}

}  // namespace crd::client
