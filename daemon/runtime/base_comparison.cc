#include "daemon/runtime/base_comparison.h"

#include <algorithm>
#include <memory>
#include <unordered_set>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/files.h"
#include "daemon/runtime/xattrs.h"

namespace crd::runtime {
namespace {

using How = RootfsChange::How;

constexpr std::size_t kChunk = 128U << 10U;
// The kernel's clock for change times stands still for up to 10 ms: a file that changed so lately
// could change again under the same time.
constexpr std::int64_t kCertainSeconds = 2;

bool Same(const timespec& one, const timespec& other) {
  return one.tv_sec == other.tv_sec && one.tv_nsec == other.tv_nsec;
}

// One place in both trees: a directory of each, and a name in them.
struct Place {
  FdRef base;
  FdRef root;
  const std::string& name;
};

Result<UniqueFd> OpenToRead(FdRef directory, const std::string& name) {
  UniqueFd file(::openat(directory.get(), name.c_str(),
                         O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOATIME | O_CLOEXEC));
  if (!file.valid()) return Error::Errno("open '{}'", name);
  return file;
}

Result<std::size_t> ReadFully(FdRef file, char* into, off_t at) {
  std::size_t filled = 0;
  while (filled < kChunk) {
    const ssize_t got =
        ::pread(file.get(), into + filled, kChunk - filled, at + static_cast<off_t>(filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error::Errno("read");
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  return filled;
}

Result<bool> HasSameContent(const Place& place, const GoingOn& going_on) {
  const UniqueFd base = TRY(OpenToRead(place.base, place.name));
  const UniqueFd root = TRY(OpenToRead(place.root, place.name));
  const auto ours = std::make_unique_for_overwrite<char[]>(kChunk);
  const auto theirs = std::make_unique_for_overwrite<char[]>(kChunk);
  for (off_t at = 0;; at += kChunk) {
    TRY(going_on());
    const std::size_t size = TRY(ReadFully(root.ref(), ours.get(), at).Annotate(place.name));
    const std::size_t other = TRY(ReadFully(base.ref(), theirs.get(), at).Annotate(place.name));
    if (size != other || !std::equal(ours.get(), ours.get() + size, theirs.get())) return false;
    if (size < kChunk) return true;
  }
}

Result<bool> HasSameXattrs(const Place& place) {
  auto base = TRY(ReadXattrs(place.base, place.name));
  auto root = TRY(ReadXattrs(place.root, place.name));
  for (auto* xattrs : {&base, &root}) {
    std::erase_if(*xattrs, [](const auto& one) { return IsOfHost(one.first); });
  }
  return base == root;
}

Result<bool> HasSameTarget(const Place& place) {
  std::string targets[2];
  int i = 0;
  for (const FdRef directory : {place.base, place.root}) {
    std::string& target = targets[i++];
    target.resize(PATH_MAX);
    const ssize_t size =
        ::readlinkat(directory.get(), place.name.c_str(), target.data(), target.size());
    if (size < 0) return Error::Errno("read link '{}'", place.name);
    target.resize(static_cast<std::size_t>(size));
  }
  return targets[0] == targets[1];
}

// A name that begins another one comes first: a directory before what is in it, and that before
// what only sorts after it ("a", "a/b", "a-").
bool Before(const RootfsChange& one, const RootfsChange& other) {
  if ((one.path == ".") != (other.path == ".")) return one.path == ".";
  return std::lexicographical_compare(
      one.path.begin(), one.path.end(), other.path.begin(), other.path.end(), [](char a, char b) {
        const auto rank = [](char c) { return c == '/' ? 0 : static_cast<unsigned char>(c); };
        return rank(a) < rank(b);
      });
}

}  // namespace

class BaseComparison::Walk {
 public:
  Walk(BaseComparison& all, const GoingOn& going_on) : all_(all), going_on_(going_on) {
    ::clock_gettime(CLOCK_REALTIME, &began_);
  }

  Result<void> Directory(FdRef base, FdRef root, const std::string& path) {
    const std::vector<std::string> there = TRY(ListDirectory(root));
    for (const std::string& name : there) {
      TRY(going_on_());
      TRY(Look({base, root, name}, path.empty() ? name : path + "/" + name));
    }
    for (const std::string& name : TRY(ListDirectory(base))) {
      if (std::binary_search(there.begin(), there.end(), name)) continue;
      Add(path.empty() ? name : path + "/" + name, How::kGone);
    }
    return {};
  }

  Result<void> Root(FdRef base, FdRef root) {
    struct stat was {};
    struct stat is {};
    if (::fstat(base.get(), &was) != 0 || ::fstat(root.get(), &is) != 0) {
      return Error::Errno("stat a root");
    }
    const std::string self = ".";
    if (!TRY(IsSame({base, root, self}, was, is))) Add(".", How::kThere);
    return Directory(base, root, "");
  }

  RootfsChanges Finish() {
    // Another name of a file that is laid down must lead to that one.
    for (auto& [path, inode] : unchanged_links_) {
      if (changed_links_.contains(inode)) Add(path, How::kThere);
    }
    std::sort(changes_.begin(), changes_.end(), Before);
    return std::move(changes_);
  }

 private:
  Result<void> Look(const Place& place, const std::string& path) {
    struct stat is {};
    if (::fstatat(place.root.get(), place.name.c_str(), &is, AT_SYMLINK_NOFOLLOW) != 0) {
      return Error::Errno("stat '{}'", path);
    }
    struct stat was {};
    const bool was_there =
        ::fstatat(place.base.get(), place.name.c_str(), &was, AT_SYMLINK_NOFOLLOW) == 0;
    if (!was_there && errno != ENOENT) return Error::Errno("stat '{}' in the base", path);
    if (S_ISSOCK(is.st_mode)) {
      if (was_there && !S_ISSOCK(was.st_mode)) Add(path, How::kGone);
      return {};
    }
    const bool same = was_there && TRY(IsSame(place, was, is));
    if (!same) Add(path, How::kThere);
    if (!S_ISDIR(is.st_mode)) {
      NoteLinks(path, is, same);
      return {};
    }
    const UniqueFd inside = TRY(OpenDirectoryAt(place.root, place.name));
    if (!was_there || !S_ISDIR(was.st_mode)) return Whole(inside.ref(), path);
    const UniqueFd base_inside = TRY(OpenDirectoryAt(place.base, place.name));
    return Directory(base_inside.ref(), inside.ref(), path);
  }

  Result<void> Whole(FdRef root, const std::string& path) {
    for (const std::string& name : TRY(ListDirectory(root))) {
      TRY(going_on_());
      const std::string below = path + "/" + name;
      struct stat status {};
      if (::fstatat(root.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return Error::Errno("stat '{}'", below);
      }
      if (S_ISSOCK(status.st_mode)) continue;
      Add(below, How::kThere);
      if (!S_ISDIR(status.st_mode)) {
        NoteLinks(below, status, /*same=*/false);
        continue;
      }
      const UniqueFd inside = TRY(OpenDirectoryAt(root, name));
      TRY(Whole(inside.ref(), below));
    }
    return {};
  }

  Result<bool> IsSame(const Place& place, const struct stat& was, const struct stat& is) {
    if (was.st_mode != is.st_mode || was.st_uid != is.st_uid || was.st_gid != is.st_gid) {
      return false;
    }
    if (!Same(was.st_mtim, is.st_mtim)) return false;
    const bool directory = S_ISDIR(is.st_mode);
    if (!directory && was.st_nlink != is.st_nlink) return false;
    if ((S_ISCHR(is.st_mode) || S_ISBLK(is.st_mode)) && was.st_rdev != is.st_rdev) return false;
    if (!TRY(HasSameXattrs(place))) return false;
    if (S_ISLNK(is.st_mode)) return HasSameTarget(place);
    if (!S_ISREG(is.st_mode)) return true;
    return was.st_size == is.st_size ? HadSameContent(place, is) : Result<bool>(false);
  }

  // A modification time can be set to anything, a change time cannot.
  Result<bool> HadSameContent(const Place& place, const struct stat& is) {
    if (is.st_size == 0) return true;
    const auto known = all_.equal_.find(is.st_ino);
    if (known != all_.equal_.end() && Same(known->second, is.st_ctim)) return true;
    ++all_.files_read_;
    const bool same = TRY(HasSameContent(place, going_on_));
    all_.equal_.erase(is.st_ino);
    if (same && is.st_ctim.tv_sec < began_.tv_sec - kCertainSeconds) {
      all_.equal_[is.st_ino] = is.st_ctim;
    }
    return same;
  }

  void NoteLinks(const std::string& path, const struct stat& status, bool same) {
    if (status.st_nlink < 2) return;
    if (same) {
      unchanged_links_.emplace_back(path, status.st_ino);
    } else {
      changed_links_.insert(status.st_ino);
    }
  }

  void Add(const std::string& path, How how) {
    if (!listed_.insert(path).second) return;
    changes_.push_back({.path = path, .how = how});
    if (path == ".") return;
    const std::size_t slash = path.rfind('/');
    Add(slash == std::string::npos ? "." : path.substr(0, slash), How::kThere);
  }

  BaseComparison& all_;
  const GoingOn& going_on_;
  timespec began_{};
  RootfsChanges changes_;
  std::unordered_set<std::string> listed_;
  std::vector<std::pair<std::string, ino_t>> unchanged_links_;
  std::unordered_set<ino_t> changed_links_;
};

Result<RootfsChanges> BaseComparison::Run(FdRef base, FdRef root, const GoingOn& going_on) {
  Walk walk(*this, going_on);
  TRY(walk.Root(base, root));
  return walk.Finish();
}

}  // namespace crd::runtime
