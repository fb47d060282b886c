#pragma once

#include <grpcpp/grpcpp.h>

#include "client/session.h"
#include "daemon/base/result.h"

namespace crd::client {

// All pages of what the request asks for as one answer.
template <typename Stub, typename Request, typename Response>
Result<Response> ListAll(Session& session,
                         grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                      Response*),
                         Request request) {
  Response whole;
  do {
    const Response page = TRY(session.Call(method, request, session.Limited()));
    whole.MergeFrom(page);
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  whole.clear_next_page_token();
  return whole;
}

}  // namespace crd::client
