#pragma once

#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "daemon/base/cancel.h"
#include "daemon/base/unique_fd.h"

namespace crd::testing {

// systemd's side of sd_notify(3): takes messages at once, as systemd does (the senders would wait),
// and keeps the descriptors that come with FDSTORE=1 under their names.
class NotifySocket {
 public:
  explicit NotifySocket(const std::string& path);
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;
  ~NotifySocket();

  [[nodiscard]] const std::string& path() const { return path_; }
  // True once a line of this text, "READY=1", has come since the last Clear().
  [[nodiscard]] bool Saw(const std::string& line);
  // Forgets the lines, not the descriptors: a new crd starts.
  void Clear();
  // How many descriptors of this name are in the store.
  [[nodiscard]] std::size_t Kept(const std::string& name);
  // The store: names and descriptors, which stay its own.
  [[nodiscard]] std::vector<std::pair<std::string, int>> Store();

 private:
  void Run();
  bool ReceiveOne();
  const std::string path_;
  UniqueFd socket_;
  CancelToken stop_;
  std::mutex mutex_;
  std::vector<std::string> lines_;
  std::multimap<std::string, UniqueFd> kept_;
  std::thread thread_;
};

}  // namespace crd::testing
