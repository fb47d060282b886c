#include "net/netns.h"

#include <system_error>
#include <thread>

#include <sched.h>

namespace crd::net {

Result<void> RunInNetns(FdRef netns, const std::function<Result<void>()>& work) {
  if (!netns.valid()) return work();
  Result<void> result;
  try {
    std::thread([&] {
      if (::setns(netns.get(), CLONE_NEWNET) != 0) {
        result = Error::Errno("enter a network namespace");
      } else {
        result = work();
      }
    }).join();
  } catch (const std::system_error& error) {
    return Error::FromErrno(error.code().value(), "start a thread for a network namespace");
  }
  return result;
}

}  // namespace crd::net
