#include "client/commands/validators.h"

#include <charconv>
#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>

#include "client/connection.h"
#include "client/duration.h"
#include "client/signal_names.h"
#include "client/size.h"

namespace crd::client {
namespace {

std::string Complaint(const Error& error) { return error.message + "; " + error.hint; }

}  // namespace

CLI::Validator AsMicroseconds() {
  return {[](std::string& text) {
            const auto duration = ParseDuration(text);
            if (!duration.ok()) return Complaint(duration.error());
            text = std::to_string(duration->count());
            return std::string();
          },
          "DUR"};
}

CLI::Validator AsBytes() {
  return {[](std::string& text) {
            const auto size = ParseSize(text);
            if (!size.ok()) return Complaint(size.error());
            text = std::to_string(*size);
            return std::string();
          },
          "SIZE"};
}

CLI::Validator AsSignal() {
  return {[](std::string& text) {
            const auto signal = ParseSignal(text);
            if (!signal.ok()) return Complaint(signal.error());
            text = std::to_string(*signal);
            return std::string();
          },
          "SIG"};
}

CLI::Validator AsPid() {
  return {[](std::string& text) {
            std::int32_t pid = 0;
            const auto [end, problem] =
                std::from_chars(text.data(), text.data() + text.size(), pid);
            const bool whole = problem == std::errc() && end == text.data() + text.size();
            return whole && pid > 0 ? std::string() : "'" + text + "' is no pid";
          },
          "PID"};
}

CLI::Validator AsSocketPath() {
  return {[](std::string& text) {
            const auto path = SocketPath(text);
            if (!path.ok()) return Complaint(path.error());
            text = *path;
            return std::string();
          },
          "ADDR"};
}

CLI::Validator AsAbsolutePath() {
  return {[](std::string& text) {
            std::error_code problem;
            const auto path = std::filesystem::absolute(text, problem);
            if (problem) return "cannot tell the working directory: " + problem.message();
            text = path.lexically_normal().string();
            return std::string();
          },
          "FILE"};
}

}  // namespace crd::client
