#include "daemon/core/json.h"

#include <cstdint>
#include <string>

#include "daemon/criu/images.h"

namespace crd {

using nlohmann::json;

json ToJson(const criu::DumpOptions& options) {
  return {{"leave_running", options.leave_running},
          {"tcp_established", options.tcp_established},
          {"file_locks", options.file_locks},
          {"ext_unix_sk", options.ext_unix_sk},
          {"shell_job", options.shell_job},
          {"link_remap", options.link_remap},
          {"tcp_skip_in_flight", options.tcp_skip_in_flight},
          {"ghost_limit", options.ghost_limit},
          {"network", static_cast<int>(options.network)}};
}

json ToJson(const criu::DumpStatistics& statistics) {
  return {{"freezing_us", statistics.freezing_us},     {"frozen_us", statistics.frozen_us},
          {"memdump_us", statistics.memdump_us},       {"memwrite_us", statistics.memwrite_us},
          {"pages_scanned", statistics.pages_scanned}, {"pages_written", statistics.pages_written}};
}

json ToJson(const Error& error) {
  return {{"code", static_cast<int>(error.code)},
          {"reason", error.reason},
          {"message", error.message},
          {"hint", error.hint},
          {"stage", error.stage},
          {"sys_errno", error.sys_errno},
          {"log_lines", error.log_lines}};
}

json ToJson(const RemappedFile& file) {
  return {{"directory", file.directory}, {"name", file.name}, {"inode", file.inode}};
}

Result<RemappedFile> RemappedFileFromJson(const json& object) {
  RemappedFile file{.directory = TRY(Member<std::string>(object, "directory", "")),
                    .name = TRY(Member<std::string>(object, "name", "")),
                    .inode = TRY(Member<ino_t>(object, "inode", 0))};
  if (!file.directory.starts_with('/') ||
      (!file.name.empty() && !criu::IsLinkRemapName(file.name))) {
    return Error{.code = Code::kDataLoss,
                 .message = fmt::format("'{}/{}' is no name of CRIU's", file.directory, file.name)};
  }
  return file;
}

Result<criu::DumpOptions> DumpOptionsFromJson(const json& object) {
  return criu::DumpOptions{
      .leave_running = TRY(Member<bool>(object, "leave_running", false)),
      .tcp_established = TRY(Member<bool>(object, "tcp_established", false)),
      .file_locks = TRY(Member<bool>(object, "file_locks", false)),
      .ext_unix_sk = TRY(Member<bool>(object, "ext_unix_sk", false)),
      .shell_job = TRY(Member<bool>(object, "shell_job", false)),
      .link_remap = TRY(Member<bool>(object, "link_remap", false)),
      .tcp_skip_in_flight = TRY(Member<bool>(object, "tcp_skip_in_flight", false)),
      .ghost_limit = TRY(Member<std::uint64_t>(object, "ghost_limit", 0)),
      .network = static_cast<criu::NetworkSaving>(TRY(Member<int>(object, "network", 0)))};
}

Result<criu::DumpStatistics> DumpStatisticsFromJson(const json& object) {
  return criu::DumpStatistics{
      .freezing_us = TRY(Member<std::uint64_t>(object, "freezing_us", 0)),
      .frozen_us = TRY(Member<std::uint64_t>(object, "frozen_us", 0)),
      .memdump_us = TRY(Member<std::uint64_t>(object, "memdump_us", 0)),
      .memwrite_us = TRY(Member<std::uint64_t>(object, "memwrite_us", 0)),
      .pages_scanned = TRY(Member<std::uint64_t>(object, "pages_scanned", 0)),
      .pages_written = TRY(Member<std::uint64_t>(object, "pages_written", 0))};
}

Error ErrorFromJson(const json& object) {
  const auto text = [&](const char* name) {
    auto value = Member<std::string>(object, name, "");
    return value.ok() ? *value : std::string();
  };
  const auto number = [&](const char* name) {
    auto value = Member<int>(object, name, 0);
    return value.ok() ? *value : 0;
  };
  Error error{.code = static_cast<Code>(number("code")),
              .reason = text("reason"),
              .message = text("message"),
              .hint = text("hint"),
              .stage = text("stage"),
              .sys_errno = number("sys_errno")};
  const auto lines = Member<std::vector<json>>(object, "log_lines", {});
  if (!lines.ok()) return error;
  for (const json& line : *lines) {
    if (line.is_string()) error.log_lines.push_back(line.get<std::string>());
  }
  return error;
}

Result<json> ParseJson(std::string_view text, std::string_view what) {
  json parsed = json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (parsed.is_discarded()) {
    return Error{.code = Code::kDataLoss, .message = fmt::format("{} is not valid JSON", what)};
  }
  return parsed;
}

}  // namespace crd
