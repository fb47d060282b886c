#include "client/errors.h"

#include <api/v1/types.pb.h>
#include <fmt/format.h>

#include "client/exit_codes.h"
#include "client/printable.h"

namespace crd::client {
namespace {

Error FromProto(const v1::Error& proto) {
  Error error{.code = static_cast<Code>(proto.code()),
              .reason = proto.reason(),
              .message = proto.message(),
              .hint = proto.hint(),
              .stage = proto.stage(),
              .sys_errno = proto.sys_errno()};
  error.log_lines.assign(proto.log_lines().begin(), proto.log_lines().end());
  return error;
}

// gRPC's own verdicts carry no details.
Error FromTransport(const grpc::Status& status) {
  Error error{.code = static_cast<Code>(status.error_code()), .message = status.error_message()};
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      error.reason = kNoDaemonReason;
      error.message = fmt::format("lost the connection to crd ({})", status.error_message());
      error.hint =
          "either crd has just ended (`systemctl status crd` tells), or it lets you in no more: "
          "only root and members of its group may ask";
      break;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      error.message = "crd did not answer in time";
      error.hint = "allow more time with --timeout";
      break;
    case grpc::StatusCode::UNIMPLEMENTED:
      error.message = "this crd does not know the call";
      error.hint = "crctl and crd are of different versions: see `crctl version` and `crctl info`";
      break;
    default:
      if (error.message.empty()) error.message = CodeName(error.code);
  }
  return error;
}

}  // namespace

Error FromStatus(const grpc::Status& status) {
  v1::Error proto;
  if (!status.error_details().empty() && proto.ParseFromString(status.error_details()) &&
      !proto.message().empty()) {
    return FromProto(proto);
  }
  return FromTransport(status);
}

std::string Render(const Error& error) {
  std::string text = fmt::format("crctl: {}\n", Printable(error.message));
  if (!error.hint.empty()) text += fmt::format("  hint: {}\n", Printable(error.hint));
  if (!error.log_lines.empty()) text += "  CRIU said:\n";
  for (const std::string& line : error.log_lines) text += fmt::format("    {}\n", Printable(line));
  return text;
}

int ExitCode(const Error& error) {
  return error.reason == kNoDaemonReason || error.code == Code::kUnavailable ? kNoDaemon : kFailed;
}

}  // namespace crd::client
