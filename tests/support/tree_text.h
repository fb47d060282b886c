#pragma once

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>

namespace crd::testing {

// Everything that an archive of a tree is to keep, as text by path, so that trees are compared
// whole. Change times and inode numbers are no part of it: hard links are told by the first of
// their names.
class TreeText {
 public:
  using Lines = std::map<std::string, std::string>;

  static Lines Of(const std::string& root) {
    std::set<std::string> paths = {"."};
    for (const auto& one : std::filesystem::recursive_directory_iterator(root)) {
      paths.insert(one.path().string().substr(root.size() + 1));
    }
    TreeText text(root);
    Lines lines;
    for (const std::string& path : paths) lines[path] = text.Line(path);
    return lines;
  }

  // What one has, or is, that the other has not, or is not.
  static std::vector<std::string> Differences(const Lines& one, const Lines& other) {
    std::vector<std::string> found;
    for (const auto& [path, text] : one) {
      const auto there = other.find(path);
      if (there == other.end()) {
        found.push_back(path + " is only in the first");
      } else if (there->second != text) {
        found.push_back(fmt::format("{}: {} / {}", path, text, there->second));
      }
    }
    for (const auto& [path, text] : other) {
      if (!one.contains(path)) found.push_back(path + " is only in the second");
    }
    return found;
  }
  static std::vector<std::string> Differences(const std::string& one, const std::string& other) {
    return Differences(Of(one), Of(other));
  }

 private:
  explicit TreeText(std::string root) : root_(std::move(root)) {}

  std::string Line(const std::string& path) {
    const std::string whole = root_ + "/" + path;
    struct stat status {};
    if (::lstat(whole.c_str(), &status) != 0) return "gone";
    std::ostringstream text;
    text << std::oct << status.st_mode << std::dec << " " << status.st_uid << ":" << status.st_gid
         << " " << status.st_mtim.tv_sec << "." << status.st_mtim.tv_nsec;
    if (!S_ISDIR(status.st_mode)) {
      text << " links " << status.st_nlink << " of "
           << links_.emplace(status.st_ino, path).first->second << " device " << status.st_rdev;
    }
    if (S_ISREG(status.st_mode)) {
      std::ifstream file(whole, std::ios::binary);
      std::ostringstream content;
      content << file.rdbuf();
      text << " holds " << status.st_size << " #" << std::hash<std::string>{}(content.str());
    }
    if (S_ISLNK(status.st_mode)) text << " -> " << std::filesystem::read_symlink(whole).string();
    for (const std::string& key : Xattrs(whole)) {
      char value[4096];
      const ssize_t size = ::lgetxattr(whole.c_str(), key.c_str(), value, sizeof value);
      const std::string_view got(value, size > 0 ? static_cast<std::size_t>(size) : 0);
      text << " " << key << "=" << std::hash<std::string_view>{}(got);
    }
    return text.str();
  }

  // But for what is the host's, or the file system's own.
  static std::set<std::string> Xattrs(const std::string& path) {
    char list[4096];
    const ssize_t size = ::llistxattr(path.c_str(), list, sizeof list);
    std::set<std::string> keys;
    for (ssize_t at = 0; at < size;) {
      const std::string key = list + at;
      at += static_cast<ssize_t>(key.size()) + 1;
      if (key != "security.selinux" && !key.starts_with("trusted.overlay.")) keys.insert(key);
    }
    return keys;
  }

  const std::string root_;
  std::map<ino_t, std::string> links_;
};

}  // namespace crd::testing
