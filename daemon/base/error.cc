#include "daemon/base/error.h"

#include <cstring>

namespace crd {

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kOk:
      return "OK";
    case Code::kCancelled:
      return "CANCELLED";
    case Code::kUnknown:
      return "UNKNOWN";
    case Code::kInvalidArgument:
      return "INVALID_ARGUMENT";
    case Code::kDeadlineExceeded:
      return "DEADLINE_EXCEEDED";
    case Code::kNotFound:
      return "NOT_FOUND";
    case Code::kAlreadyExists:
      return "ALREADY_EXISTS";
    case Code::kPermissionDenied:
      return "PERMISSION_DENIED";
    case Code::kResourceExhausted:
      return "RESOURCE_EXHAUSTED";
    case Code::kFailedPrecondition:
      return "FAILED_PRECONDITION";
    case Code::kAborted:
      return "ABORTED";
    case Code::kOutOfRange:
      return "OUT_OF_RANGE";
    case Code::kUnimplemented:
      return "UNIMPLEMENTED";
    case Code::kInternal:
      return "INTERNAL";
    case Code::kUnavailable:
      return "UNAVAILABLE";
    case Code::kDataLoss:
      return "DATA_LOSS";
  }
  return "UNKNOWN";
}

Code CodeFromErrno(int sys_errno) {
  switch (sys_errno) {
    case ENOENT:
    case ESRCH:
      return Code::kNotFound;
    case EEXIST:
      return Code::kAlreadyExists;
    case EACCES:
    case EPERM:
      return Code::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
      return Code::kResourceExhausted;
    case EROFS:
    case EBUSY:
    case ENOTDIR:
      return Code::kFailedPrecondition;
    case ETIMEDOUT:
      return Code::kDeadlineExceeded;
    case EINVAL:
    case ENAMETOOLONG:
    case ELOOP:
      return Code::kInvalidArgument;
    default:
      return Code::kInternal;
  }
}

Error Error::FromErrno(int sys_errno, std::string_view what) {
  return Error{
      .code = CodeFromErrno(sys_errno),
      .message = fmt::format(
          "{}: {}", what,
          strerrordesc_np(sys_errno) == nullptr ? "unknown error" : strerrordesc_np(sys_errno)),
      .sys_errno = sys_errno};
}

Error Error::Annotated(std::string_view context) && {
  message = fmt::format("{}: {}", context, message);
  return std::move(*this);
}

Error Error::WithHint(std::string text) && {
  hint = std::move(text);
  return std::move(*this);
}

Error Error::AtStage(std::string_view name) && {
  if (stage.empty()) stage = name;
  return std::move(*this);
}

}  // namespace crd
