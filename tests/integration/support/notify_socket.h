#pragma once

#include <map>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/unique_fd.h"

namespace crd::testing {

// systemd's side of sd_notify(3): takes messages, and keeps the descriptors that come with
// FDSTORE=1 under their names.
class NotifySocket {
 public:
  explicit NotifySocket(const std::string& path);
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;
  ~NotifySocket();

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] FdRef fd() const { return socket_.ref(); }
  // Reads what has come; true once a line of this text, "READY=1", was among it.
  bool Saw(const std::string& line);
  // Forgets the lines, not the descriptors: a new crd starts.
  void Clear();
  // Descriptors in the store by name.
  std::multimap<std::string, UniqueFd>& kept() { return kept_; }
  // Takes everything that has come.
  void Drain();

 private:
  bool ReceiveOne();
  const std::string path_;
  UniqueFd socket_;
  std::vector<std::string> lines_;
  std::multimap<std::string, UniqueFd> kept_;
};

}  // namespace crd::testing
