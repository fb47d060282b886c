#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <thread>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "daemon/core/digest.h"

namespace crd {

// Follows the pages files (pages-*.img) of a dump while CRIU writes them: computes their digests
// and starts their write-back, so that neither is left to do when the tree is frozen and the images
// complete. CRIU only ever appends to these files, which is what makes this right.
//
// Owns a thread from construction to Finish() or destruction. `images` must outlive it.
class ImageFollower {
 public:
  // `on_bytes` is called on the follower's thread with the bytes seen so far, when there are more.
  ImageFollower(FdRef images, std::function<void(std::uint64_t)> on_bytes);
  ImageFollower(const ImageFollower&) = delete;
  ImageFollower& operator=(const ImageFollower&) = delete;

  struct Followed {
    std::uint64_t size = 0;
    std::string digest;
  };
  // Reads what is still to be read and returns every file that was followed, by name. Call once
  // CRIU has said that the images are complete.
  Result<std::map<std::string, Followed>> Finish();

 private:
  struct Tail {
    UniqueFd file;
    Digest digest;
    std::uint64_t offset = 0;
  };
  void Run(const std::stop_token& stop);
  Result<void> CatchUp();

  FdRef images_;
  std::map<std::string, Tail> tails_;
  std::function<void(std::uint64_t)> on_bytes_;
  std::uint64_t bytes_ = 0;
  Result<void> failure_;
  std::jthread thread_;  // last: it uses everything above
};

}  // namespace crd
