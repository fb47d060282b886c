#include "tests/integration/support/notify_socket.h"

#include <algorithm>
#include <optional>
#include <sstream>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/integration/support/received.h"

namespace crd::testing {

NotifySocket::NotifySocket(const std::string& path)
    : path_(path), socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
  if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    socket_.reset();
  }
  thread_ = std::thread([this] { Run(); });
}

NotifySocket::~NotifySocket() {
  stop_.Cancel();
  thread_.join();
  ::unlink(path_.c_str());
}

void NotifySocket::Run() {
  pollfd watched[] = {{.fd = socket_.get(), .events = POLLIN, .revents = 0},
                      {.fd = stop_.fd().get(), .events = POLLIN, .revents = 0}};
  while (!stop_.cancelled()) {
    ::poll(watched, 2, -1);
    while (ReceiveOne()) {
    }
  }
}

bool NotifySocket::Saw(const std::string& line) {
  const std::lock_guard lock(mutex_);
  return std::find(lines_.begin(), lines_.end(), line) != lines_.end();
}

void NotifySocket::Clear() {
  const std::lock_guard lock(mutex_);
  lines_.clear();
}

std::size_t NotifySocket::Kept(const std::string& name) {
  const std::lock_guard lock(mutex_);
  return kept_.count(name);
}

std::vector<std::pair<std::string, int>> NotifySocket::Store() {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string, int>> store;
  for (const auto& [name, fd] : kept_) store.emplace_back(name, fd.get());
  return store;
}

bool NotifySocket::ReceiveOne() {
  std::optional<Received> message = Receive(socket_.ref());
  if (!message.has_value()) return false;
  const std::lock_guard lock(mutex_);
  std::istringstream input(message->text);
  std::string name;
  bool store = false;
  bool remove = false;
  for (std::string line; std::getline(input, line);) {
    lines_.push_back(line);
    if (line.starts_with("FDNAME=")) name = line.substr(7);
    store = store || line == "FDSTORE=1";
    remove = remove || line == "FDSTOREREMOVE=1";
  }
  if (remove) kept_.erase(name);
  // A second one of the name is kept as well, unless it is the very same open file.
  if (store && !message->fds.empty()) kept_.emplace(name, std::move(message->fds.front()));
  return true;
}

}  // namespace crd::testing
