#include "daemon/runtime/runtime_record.h"

#include <utility>

#include <sys/stat.h>

#include "daemon/base/files.h"
#include "daemon/base/log.h"
#include "daemon/base/replace_file.h"
#include "daemon/runtime/find.h"
#include "daemon/runtime/refusals.h"
#include "daemon/runtime/runtime_state.h"

namespace crd::runtime {
namespace {

std::string DirectoryOf(const std::string& path) { return path.substr(0, path.rfind('/')); }
std::string NameOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

Result<RuntimeRecord> RuntimeRecord::Open(const SavedContainer& container, Use use) {
  const std::string& path = container.state_path;
  RuntimeRecord record(container.kind, path);
  if (path.empty()) return record;
  const auto directory = OpenDirectory(DirectoryOf(path));
  auto text = directory.ok() ? ReadFileAt(directory->ref(), NameOf(path))
                             : Result<std::string>(directory.error());
  const bool there = text.ok() || text.error().code != Code::kNotFound;
  if (directory.ok() && use == Use::kNewName)
    return refusal::RuntimeNameTaken(container.kind, container.id, path);
  if (!there && container.state_files.count(NameOf(path)) == 0) {
    return refusal::RuntimeForgot(container.id, path);
  }
  record.files_ = container.state_files;
  if (!there) return record;
  if (!text.ok()) return refusal::StateUnreadable(path, text.error());
  const auto state = ParseState(container.kind, container.id, *text);
  if (!state.ok()) return refusal::StateUnreadable(path, state.error());
  if (InitIsAlive(*state)) return refusal::StillRuns(*state);
  record.before_[NameOf(path)] = *text;
  if (use == Use::kAsItIs) record.files_ = record.before_;
  for (const auto& [name, file] : record.files_) {
    if (auto found = ReadFileAt(directory->ref(), name); found.ok()) record.before_[name] = *found;
  }
  return record;
}

Result<void> RuntimeRecord::Write(const Files& files) const {
  const UniqueFd directory = TRY(OpenDirectory(DirectoryOf(path_)));
  for (const auto& [name, text] : files) TRY(ReplaceFileAt(directory.ref(), name, text));
  return {};
}

Result<void> RuntimeRecord::Name(const ProcessIdentity& process) {
  if (path_.empty()) return {};
  Files files = files_;
  std::string& state = files[NameOf(path_)];
  state = TRY(WithProcess(kind_, state, process));
  written_ = true;
  if (before_.empty()) TRY(MakeDirectories(DirectoryOf(path_)));
  return Write(files).Annotate("tell the runtime");
}

void RuntimeRecord::Undo() {
  if (!std::exchange(written_, false)) return;
  auto undone = Write(before_);
  if (before_.empty()) {
    const std::string directory = DirectoryOf(path_);
    const auto root = OpenDirectory(DirectoryOf(directory));
    undone = root.ok() ? RemoveTreeAt(root->ref(), NameOf(directory)) : Result<void>(root.error());
  }
  if (!undone.ok()) spdlog::error("put '{}' back: {}", path_, undone.error().message);
}

}  // namespace crd::runtime
