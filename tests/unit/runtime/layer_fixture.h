#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/files.h"
#include "daemon/runtime/layer.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tree_text.h"

namespace crd::runtime {

// Layers that are saved and laid down, in a place that vanishes.
class LayerFixture : public ::testing::Test {
 protected:
  static Result<void> GoOn() { return {}; }

  static void Write(const std::string& path, const std::string& text) {
    std::ofstream(path) << text << std::flush;
  }
  static void MakeDirectories(const std::string& path) {
    std::filesystem::create_directories(path);
  }

  static std::vector<std::string> Differences(const std::string& one, const std::string& other) {
    return testing::TreeText::Differences(one, other);
  }

  Result<void> Save(const std::string& root, const RootfsChanges& changes) {
    const UniqueFd file(::open(layer_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    const UniqueFd from = TRY(OpenDirectory(root));
    return WriteLayer(from.ref(), changes, file.ref(), GoOn);
  }
  Result<void> LayDownIn(const std::string& root) {
    const UniqueFd file(::open(layer_.c_str(), O_RDONLY | O_CLOEXEC));
    const UniqueFd into = TRY(OpenDirectory(root));
    return LayDown(file.ref(), into.ref(), GoOn);
  }

  testing::TempDir place_;
  const std::string layer_ = place_ / "layer";
};

}  // namespace crd::runtime
