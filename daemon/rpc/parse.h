#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <api/v1/network.pb.h>
#include <api/v1/services.pb.h>

#include "daemon/base/result.h"
#include "daemon/core/networks.h"
#include "daemon/core/requests.h"
#include "daemon/core/reservations.h"

namespace crd::rpc {

// Requests of the wire as core's values. Pure. Refused here (INVALID_REQUEST, OPTIONS_CONTRADICT)
// is what has no meaning; whether names are valid, and whether what is named exists, core knows.

Result<CheckpointRequest> Parse(const v1::CheckpointRequest& message);
// With `inherit` the caller's descriptors are still missing: see caller_descriptors.h.
Result<RestoreRequest> Parse(const v1::RestoreRequest& message);
Result<CheckRequest> Parse(const v1::CheckRequest& message);
Result<NetworkRequest> Parse(const v1::CreateNetworkRequest& message);
Result<ReserveRequest> Parse(const v1::ReserveRequest& message);
// The state directory to look into besides; may be empty.
Result<std::string> Parse(const v1::ListRuntimeContainersRequest& message);
Result<ImportRequest> Parse(const v1::ImportImagesRequest& message);

// A key that is not empty. `subject` is what it names: "checkpoint".
Result<std::string> ParseKey(std::string_view subject, const std::string& key);
Result<std::string> ParseRequestId(const std::string& id);
// 1 to 64 (SIGRTMAX).
Result<int> ParseSignal(std::int32_t signal);
// 1 to Inventory::kMaxPage; that for 0 and for more.
int ParsePageSize(std::uint32_t size);

}  // namespace crd::rpc
