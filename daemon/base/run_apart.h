#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "daemon/base/result.h"

namespace crd {

// Runs what changes a thread for good (its namespaces, root, working directory, credentials) on a
// thread of its own, which ends with it, and waits for the Result. `what` is what failed if there
// can be no thread. Any thread.
template <typename Work>
auto RunApart(std::string_view what, const Work& work) -> decltype(work()) {
  std::optional<decltype(work())> result;
  try {
    std::thread([&] { result.emplace(work()); }).join();
  } catch (const std::system_error& error) {
    return Error::FromErrno(error.code().value(), std::string(what));
  }
  return *std::move(result);
}

}  // namespace crd
