#pragma once

#include <sys/types.h>

#include "daemon/base/unique_fd.h"
#include "net/description.h"

namespace crd {

// The network namespace of a tree that ends with its checkpoint. It is kept, with CRIU's lock in
// it, until its veth pairs are gone: the kernel, which takes it down, takes the lock down first and
// the links last, and would answer what peers send in between with resets (Linux 6.18). Belongs to
// one checkpoint. Best effort: what fails is logged, and then the kernel does it.
class EndingNetwork {
 public:
  // While `root` still lives.
  EndingNetwork(pid_t root, const net::Description& description);
  // Once nobody is left in it.
  void Dismantle();

 private:
  net::Description description_;
  UniqueFd netns_;
};

}  // namespace crd
