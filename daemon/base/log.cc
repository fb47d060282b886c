#include "daemon/base/log.h"

#include <cstdlib>
#include <memory>
#include <vector>

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace crd {
namespace {

// sd-daemon(3) priorities. spdlog's own systemd sink throws when the journal is away.
class PriorityFlag final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& msg, const std::tm& /*time*/,
              spdlog::memory_buf_t& dest) override {
    static constexpr std::string_view kPrefix[] = {"<7>", "<7>", "<6>", "<4>", "<3>", "<2>", "<7>"};
    const std::string_view prefix = kPrefix[msg.level];
    dest.append(prefix.data(), prefix.data() + prefix.size());
  }
  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
    return spdlog::details::make_unique<PriorityFlag>();
  }
};

}  // namespace

Result<void> SetUpLog(const std::string& level) {
  static const std::vector<std::string> kLevels = {"trace", "debug", "info",
                                                   "warn",  "error", "off"};
  bool known = false;
  for (const std::string& name : kLevels) known = known || name == level;
  if (!known) {
    return Error{.code = Code::kInvalidArgument,
                 .message = fmt::format("unknown log level '{}'", level),
                 .hint = fmt::format("use one of {}", fmt::join(kLevels, ", "))};
  }
  auto logger = spdlog::stderr_logger_mt("crd");
  const bool journal = std::getenv("JOURNAL_STREAM") != nullptr;  // NOLINT(concurrency-mt-unsafe)
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<PriorityFlag>('*').set_pattern(journal ? "%*%v"
                                                             : "%Y-%m-%dT%H:%M:%S.%e %L %v");
  logger->set_formatter(std::move(formatter));
  spdlog::set_default_logger(std::move(logger));
  spdlog::set_level(spdlog::level::from_str(level));
  return {};
}

}  // namespace crd
