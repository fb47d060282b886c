#include "daemon/core/image_follower.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>

#include "daemon/base/files.h"

namespace crd {
namespace {

// Short against a dump of any size that makes following worth while, long against its own cost.
constexpr auto kPause = std::chrono::milliseconds(4);

bool IsPages(const std::string& name) {
  return name.starts_with("pages-") && name.ends_with(".img");
}

}  // namespace

ImageFollower::ImageFollower(FdRef images, std::function<void(std::uint64_t)> on_bytes)
    : images_(images),
      on_bytes_(std::move(on_bytes)),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

void ImageFollower::Run(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any nothing;  // A pause that ends at once when it is to stop.
  std::unique_lock lock(mutex);
  const auto stopped = [&] { return stop.stop_requested(); };
  while (failure_.ok() && !nothing.wait_for(lock, stop, kPause, stopped)) failure_ = CatchUp();
}

Result<void> ImageFollower::CatchUp() {
  for (const std::string& name : TRY(ListDirectory(images_))) {
    if (!IsPages(name)) continue;
    auto found = tails_.find(name);
    if (found == tails_.end()) {
      UniqueFd file = TRY(OpenRegularAt(images_, name));
      found = tails_.emplace(name, Tail{.file = std::move(file), .digest = Digest()}).first;
    }
    Tail& tail = found->second;
    const std::uint64_t before = tail.offset;
    tail.offset = TRY(tail.digest.AddFile(tail.file.ref(), before).Annotate(name));
    if (tail.offset == before) continue;
    bytes_ += tail.offset - before;
    on_bytes_(bytes_);
    // Starts writing without waiting; what fails here comes back from fsync, which is waited for.
    ::sync_file_range(tail.file.get(), static_cast<off_t>(before),
                      static_cast<off_t>(tail.offset - before), SYNC_FILE_RANGE_WRITE);
  }
  return {};
}

Result<std::map<std::string, ImageFollower::Followed>> ImageFollower::Finish() {
  thread_.request_stop();
  thread_.join();
  TRY(std::move(failure_));
  TRY(CatchUp());
  std::map<std::string, Followed> followed;
  for (const auto& [name, tail] : tails_) {
    followed[name] = {.size = tail.offset, .digest = tail.digest.Hex()};
  }
  return followed;
}

}  // namespace crd
