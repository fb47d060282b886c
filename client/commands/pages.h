#pragma once

#include <api/v1/services.grpc.pb.h>

#include "client/session.h"
#include "daemon/base/result.h"

namespace crd::client {

// All pages of a list as one answer.
template <typename Response>
Result<Response> ListAll(Session& session,
                         grpc::Status (v1::ListService::Stub::*method)(grpc::ClientContext*,
                                                                       const v1::ListRequest&,
                                                                       Response*),
                         bool all) {
  v1::ListRequest request;
  request.set_all(all);
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
