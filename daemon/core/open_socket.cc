#include "daemon/core/open_socket.h"

#include "daemon/core/json.h"

namespace crd {

nlohmann::json ToJson(const OpenSocket& socket) {
  return {{"protocol", socket.protocol}, {"local", socket.local}, {"peer", socket.peer},
          {"state", socket.state},       {"pid", socket.pid},     {"fd", socket.fd}};
}

Result<OpenSocket> OpenSocketFromJson(const nlohmann::json& object) {
  return OpenSocket{.protocol = TRY(Member<std::string>(object, "protocol", "")),
                    .local = TRY(Member<std::string>(object, "local", "")),
                    .peer = TRY(Member<std::string>(object, "peer", "")),
                    .state = TRY(Member<std::string>(object, "state", "")),
                    .pid = TRY(Member<int>(object, "pid", 0)),
                    .fd = TRY(Member<int>(object, "fd", -1))};
}

}  // namespace crd
