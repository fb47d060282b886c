#include "daemon/runtime/runtime_record.h"

#include <utility>

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

Result<RuntimeRecord> RuntimeRecord::Open(const SavedContainer& container) {
  const std::string& path = container.state_path;
  const auto directory = OpenDirectory(DirectoryOf(path));
  auto text = directory.ok() ? ReadFileAt(directory->ref(), NameOf(path))
                             : Result<std::string>(directory.error());
  if (!text.ok() && text.error().code == Code::kNotFound) {
    return refusal::RuntimeForgot(container.id, path);
  }
  if (!text.ok()) return refusal::StateUnreadable(path, text.error());
  const auto state = ParseState(container.kind, container.id, *text);
  if (!state.ok()) return refusal::StateUnreadable(path, state.error());
  if (InitIsAlive(*state)) {
    return refusal::StillRuns(*state);
  }
  return RuntimeRecord(container.kind, path, *std::move(text));
}

Result<void> RuntimeRecord::Write(const std::string& text) const {
  const UniqueFd directory = TRY(OpenDirectory(DirectoryOf(path_)));
  return ReplaceFileAt(directory.ref(), NameOf(path_), text);
}

Result<void> RuntimeRecord::Name(const ProcessIdentity& process) {
  const std::string text = TRY(WithProcess(kind_, text_, process));
  written_ = true;
  return Write(text).Annotate("tell the runtime");
}

void RuntimeRecord::Undo() {
  if (!std::exchange(written_, false)) return;
  if (const auto undone = Write(text_); !undone.ok()) {
    spdlog::error("put '{}' back: {}", path_, undone.error().message);
  }
}

}  // namespace crd::runtime
