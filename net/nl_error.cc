#include "net/nl_error.h"

#include <cstdlib>

#include <netlink/errno.h>

namespace crd::net {
namespace {

Code CodeOf(int nl_error) {
  switch (std::abs(nl_error)) {
    case NLE_OBJ_NOTFOUND:
    case NLE_NODEV:
      return Code::kNotFound;
    case NLE_EXIST:
      return Code::kAlreadyExists;
    case NLE_PERM:
    case NLE_NOACCESS:
      return Code::kPermissionDenied;
    case NLE_NOMEM:
    case NLE_AGAIN:
      return Code::kResourceExhausted;
    case NLE_BUSY:
      return Code::kFailedPrecondition;
    case NLE_INVAL:
    case NLE_RANGE:
      return Code::kInvalidArgument;
    case NLE_OPNOTSUPP:
    case NLE_PROTO_MISMATCH:
    case NLE_AF_NOSUPPORT:
      return Code::kUnimplemented;
    default:
      return Code::kInternal;
  }
}

}  // namespace

Error NlError(int nl_error, std::string_view what) {
  return Error{.code = CodeOf(nl_error),
               .message = fmt::format("{}: {}", what, nl_geterror(nl_error))};
}

}  // namespace crd::net
