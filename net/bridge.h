#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/base/result.h"

namespace crd::net {

// Bridges of the host: in the calling thread's network namespace. Any thread.

struct Bridge {
  std::string name;
  std::string mac;
  bool up = false;
  std::vector<std::string> addresses;  // "address/length", without link-local ones
  std::vector<std::string> ports;      // their names
};

// Nothing where no interface has the name; NOT_A_BRIDGE for one that is something else.
Result<std::optional<Bridge>> FindBridge(const std::string& name);

// A bridge that is up, with these addresses ("address/length"). INTERFACE_NAME_INVALID; fails with
// kAlreadyExists if the name is taken. Nothing is left of one that fails.
Result<void> MakeBridge(const std::string& name, const std::vector<std::string>& addresses);

// Having nothing to remove is no error. What is plugged in stays, and is plugged into nothing.
Result<void> RemoveBridge(const std::string& name);

// Removes the outer end of a veth pair, and with it the pair. Anything else that has the name by
// now, or nothing, is left alone.
Result<void> RemoveVeth(const std::string& name, const std::string& mac);

}  // namespace crd::net
