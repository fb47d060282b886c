#include "daemon/runtime/scope_path.h"

namespace crd::runtime {
namespace {

constexpr std::string_view kScope = ".scope";
constexpr std::string_view kSlice = ".slice";
constexpr std::string_view kRootSlice = "-.slice";

// "a-b.slice" is in "a.slice".
std::string PathOfSlice(std::string_view slice) {
  if (slice == kRootSlice) return "";
  const std::string_view name = slice.substr(0, slice.size() - kSlice.size());
  std::string path;
  for (std::size_t dash = name.find('-');; dash = name.find('-', dash + 1)) {
    path.append("/").append(name.substr(0, dash)).append(kSlice);
    if (dash == std::string_view::npos) return path;
  }
}

}  // namespace

std::string ScopePath::ToString() const { return PathOfSlice(slice) + "/" + scope + within; }

std::optional<ScopePath> ScopePath::Renamed(std::string_view id, std::string_view to) const {
  const std::string_view name = std::string_view(scope).substr(0, scope.size() - kScope.size());
  if (!name.ends_with(id)) return std::nullopt;
  ScopePath renamed = *this;
  renamed.scope = name.substr(0, name.size() - id.size());
  renamed.scope.append(to).append(kScope);
  return renamed;
}

std::optional<ScopePath> ParseScopePath(std::string_view path) {
  const std::size_t end = path.find(".scope/") != std::string_view::npos
                              ? path.find(".scope/") + kScope.size()
                              : path.size();
  const std::string_view unit = path.substr(0, end);
  const std::size_t slash = unit.rfind('/');
  if (!unit.ends_with(kScope) || slash == std::string_view::npos) return std::nullopt;
  const std::string_view parent = unit.substr(0, slash);
  const auto slice = parent.empty() ? std::string(kRootSlice) : ParseSlice(parent);
  if (!slice) return std::nullopt;
  ScopePath parsed{.slice = *slice,
                   .scope = std::string(unit.substr(slash + 1)),
                   .within = std::string(path.substr(end))};
  // Something else's names may look like systemd's.
  return parsed.ToString() == path ? std::optional(std::move(parsed)) : std::nullopt;
}

std::optional<std::string> ParseSlice(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  const std::string_view last = slash == std::string_view::npos ? path : path.substr(slash + 1);
  const bool is_one =
      last.ends_with(kSlice) && last.size() > kSlice.size() &&
      (last == kRootSlice || (!last.starts_with('-') && !last.ends_with("-.slice")));
  return is_one ? std::optional(std::string(last)) : std::nullopt;
}

}  // namespace crd::runtime
