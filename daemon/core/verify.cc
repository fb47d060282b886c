#include "daemon/core/verify.h"

#include <algorithm>
#include <optional>
#include <set>

#include <sys/stat.h>

#include "daemon/base/files.h"
#include "daemon/core/digest.h"
#include "daemon/core/link_remaps.h"

namespace crd {
namespace {

constexpr std::uint64_t kBig = 1U << 20U;

std::optional<Damage> CheckSize(FdRef images, const ManifestFile& expected) {
  const auto file = OpenRegularAt(images, expected.name);
  if (!file.ok()) {
    const bool missing = file.error().sys_errno == ENOENT;
    return Damage{expected.name,
                  missing ? "is missing" : "cannot be read: " + file.error().message};
  }
  struct stat status {};
  if (::fstat(file->get(), &status) != 0) return Damage{expected.name, "cannot be read"};
  if (static_cast<std::uint64_t>(status.st_size) == expected.size) return std::nullopt;
  return Damage{expected.name,
                fmt::format("has {} bytes instead of {}", status.st_size, expected.size)};
}

std::optional<Damage> CheckDigest(FdRef images, const ManifestFile& expected) {
  const auto file = OpenRegularAt(images, expected.name);
  if (!file.ok()) return Damage{expected.name, "cannot be read: " + file.error().message};
  Digest digest;
  const auto end = digest.AddFile(file->ref(), 0);
  if (!end.ok()) return Damage{expected.name, "cannot be read: " + end.error().message};
  if (digest.Hex() == expected.digest) return std::nullopt;
  return Damage{expected.name, "has changed: its digest does not fit"};
}

bool MayWait(const ManifestFile& file) {
  return file.size >= kBig && file.name.starts_with("pages-");
}

std::vector<Damage> FindAdditional(FdRef images, const std::vector<ManifestFile>& files) {
  std::vector<Damage> damages;
  const auto names = ListDirectory(images);
  if (!names.ok()) return {{"images", "cannot be listed: " + names.error().message}};
  std::set<std::string> known;
  for (const ManifestFile& file : files) known.insert(file.name);
  for (const std::string& name : *names) {
    if (!known.contains(name)) damages.push_back({name, "does not belong to it"});
  }
  return damages;
}

}  // namespace

Verification::Verification(const StoredCheckpoint& checkpoint) {
  const FdRef images = checkpoint.images.ref();
  const std::vector<ManifestFile>& files = checkpoint.manifest.files;
  first_ = FindAdditional(images, files);
  for (LinkRemapProblem& problem :
       CheckLinkRemaps(checkpoint.manifest.checkpoint.id, checkpoint.manifest.remapped)) {
    first_.push_back({std::move(problem.path), std::move(problem.what)});
  }
  bool waiting = false;
  for (const ManifestFile& file : files) {
    auto damage = CheckSize(images, file);
    if (!damage.has_value() && !MayWait(file)) damage = CheckDigest(images, file);
    if (damage.has_value()) first_.push_back(std::move(*damage));
    waiting = waiting || MayWait(file);
  }
  if (!first_.empty() || !waiting) return;
  rest_ = std::async(std::launch::async, [this, images, &files] {
    std::vector<Damage> damages;
    for (const ManifestFile& file : files) {
      if (stop_ || !MayWait(file)) continue;
      if (auto damage = CheckDigest(images, file)) damages.push_back(std::move(*damage));
    }
    return damages;
  });
}

Verification::~Verification() { stop_ = true; }

std::vector<Damage> Verification::Finish() {
  std::vector<Damage> all = first_;
  if (rest_.valid()) {
    for (Damage& damage : rest_.get()) all.push_back(std::move(damage));
  }
  return all;
}

}  // namespace crd
