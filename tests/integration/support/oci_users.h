#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/integration/support/oci_container.h"

namespace crd::testing {

// Who root, and who users from 1000 on, of a container with a user namespace are on the host.
inline constexpr unsigned kUsersRoot = 100000;
inline constexpr unsigned kUsersOthers = 200000;

// Gives a config.json's container a user namespace, with as few ids as it needs.
inline void MapUsers(nlohmann::json& config) {
  SetNamespace(config, "user");
  auto& linux = config["linux"];
  linux["uidMappings"] = {{{"containerID", 0}, {"hostID", kUsersRoot}, {"size", 1000}},
                          {{"containerID", 1000}, {"hostID", kUsersOthers}, {"size", 10}}};
  linux["gidMappings"] = {{{"containerID", 0}, {"hostID", kUsersRoot}, {"size", 1000}}};
  const std::vector<std::string> all = {"CAP_CHOWN", "CAP_NET_ADMIN", "CAP_SYS_ADMIN"};
  for (const char* set : {"bounding", "permitted", "effective"}) {
    config["process"]["capabilities"][set] = all;
  }
}

// Of 65536 ids, as engines map them, the one that CRIU needs for a cgroup namespace.
inline void MapNobody(nlohmann::json& config) {
  const nlohmann::json nobody = {
      {"containerID", 65534}, {"hostID", kUsersRoot + 65534}, {"size", 1}};
  config["linux"]["uidMappings"].push_back(nobody);
  config["linux"]["gidMappings"].push_back(nobody);
}

// Gives a container's files to its root.
inline void ChownToUsersRoot(ChildReaper& reaper, const OciContainer& container) {
  const std::string owner = std::to_string(kUsersRoot) + ":" + std::to_string(kUsersRoot);
  ASSERT_EQ(RunProgram(reaper, {"chown", "-R", "-h", owner, container.bundle() + "/rootfs",
                                container.data()})
                .exit,
            0);
}

}  // namespace crd::testing
