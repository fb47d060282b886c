#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/files.h"
#include "daemon/runtime/layer.h"
#include "daemon/runtime/xattrs.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temp_dir.h"

namespace crd::runtime {

// Trees as text, to be compared whole.
class LayerFixture : public ::testing::Test {
 protected:
  static Result<void> GoOn() { return {}; }

  static void Write(const std::string& path, const std::string& text) {
    std::ofstream(path) << text << std::flush;
  }
  static void MakeDirectories(const std::string& path) {
    std::filesystem::create_directories(path);
  }

  // Everything that a layer is to keep, by path. A change time is no part of it, and no inode
  // number: hard links are told by the first of their names.
  static std::map<std::string, std::string> Describe(const std::string& root) {
    std::map<std::string, std::string> tree;
    std::map<ino_t, std::string> links;
    const auto describe = [&](const std::string& path) {
      struct stat status {};
      EXPECT_EQ(::lstat((root + "/" + path).c_str(), &status), 0) << path;
      std::ostringstream text;
      text << std::oct << status.st_mode << std::dec << " " << status.st_uid << ":" << status.st_gid
           << " " << status.st_mtim.tv_sec << "." << status.st_mtim.tv_nsec;
      if (!S_ISDIR(status.st_mode)) {
        text << " links " << status.st_nlink << " of "
             << links.emplace(status.st_ino, path).first->second << " device " << status.st_rdev;
      }
      if (S_ISREG(status.st_mode)) {
        std::ifstream file(root + "/" + path, std::ios::binary);
        std::ostringstream content;
        content << file.rdbuf();
        text << " holds " << status.st_size << " #" << std::hash<std::string>{}(content.str());
      }
      if (S_ISLNK(status.st_mode)) {
        text << " -> " << std::filesystem::read_symlink(root + "/" + path).string();
      }
      const UniqueFd directory = *OpenDirectory(root);
      const auto xattrs = ReadXattrs(directory.ref(), path);
      for (const auto& [key, value] : *xattrs) {
        if (!IsOfHost(key)) text << " " << key << "=" << std::hash<std::string>{}(value);
      }
      tree[path] = text.str();
    };
    describe(".");
    std::set<std::string> paths;
    for (const auto& one : std::filesystem::recursive_directory_iterator(root)) {
      paths.insert(one.path().string().substr(root.size() + 1));
    }
    for (const std::string& path : paths) describe(path);
    return tree;
  }

  // What one tree has, or is, that the other has not, or is not.
  static std::vector<std::string> Differences(const std::string& one, const std::string& other) {
    const auto first = Describe(one);
    const auto second = Describe(other);
    std::vector<std::string> lines;
    for (const auto& [path, text] : first) {
      const auto found = second.find(path);
      if (found == second.end())
        lines.push_back(path + " is only in the first");
      else if (found->second != text)
        lines.push_back(path + ": " + text + " / " + found->second);
    }
    for (const auto& [path, text] : second) {
      if (!first.contains(path)) lines.push_back(path + " is only in the second");
    }
    return lines;
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
