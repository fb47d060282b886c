// A CRIU that does nothing but talk: `fake_criu --no-default-config swrk FD`. It reads what to do
// from the file SCRIPT beside itself (argv[0] + ".script") and writes each answer that it gets to a
// notification as a line "name true|false" to argv[0] + ".answers". One word per line, in order:
//
//   version A B C      what it tells when asked for its version; or "version VERB": what it does
//   log TEXT           a line in its log
//   stderr TEXT
//   notify NAME [PID]  asks, and waits for the answer
//   stop-if-refused    ends with a failure when any answer was false
//   ok [PID] | fail ERRNO TEXT
//   bytes N            a message of N bytes that are no protobuf
//   truncated          half of an answer
//   descriptor NAME    asks, and sends a descriptor along
//   wait               until a file argv[0] + ".go" exists
//   close | hang | crash | exit N
#include <cctype>
#include <csignal>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <daemon/criu/criu_rpc.pb.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

namespace rpc = crd::criu_rpc;

class FakeCriu {
 public:
  FakeCriu(int socket, const std::string& self)
      : socket_(socket), self_(self), answers_(self + ".answers") {}

  bool ReceiveRequest() {
    std::string packet(1U << 20U, '\0');
    const ssize_t got = ::recv(socket_, packet.data(), packet.size(), 0);
    return got > 0 && request_.ParseFromArray(packet.data(), static_cast<int>(got));
  }

  void Obey(const std::string& line) {
    std::istringstream words(line);
    std::string verb;
    words >> verb;
    const bool asked_for_version = request_.type() == rpc::VERSION;
    if (verb == "version" && asked_for_version) return TellVersion(words);
    if (verb == "version" || asked_for_version) return;
    if (verb == "notify" || verb == "descriptor") return Notify(words, verb == "descriptor");
    if (verb == "log") return Log(words);
    if (verb == "ok") return Answer(true, words);
    if (verb == "fail") return Answer(false, words);
    if (verb == "stop-if-refused" && refused_) {
      std::istringstream none("0");
      Answer(false, none);
      ::_exit(1);
    }
    Misbehave(verb, words);
  }

  void Misbehave(const std::string& verb, std::istringstream& words) {
    std::string text;
    int number = 0;
    if (verb == "bytes" && words >> number)
      SendRaw(std::string(static_cast<std::size_t>(number), '\xff'));
    if (verb == "truncated") SendTruncated();
    while (verb == "wait" && ::access((self_ + ".go").c_str(), F_OK) != 0) ::usleep(1000);
    if (verb == "close") ::close(socket_);
    if (verb == "crash") {
      ::signal(SIGSEGV, SIG_DFL);  // a sanitizer would turn it into an exit
      ::raise(SIGSEGV);
    }
    if (verb == "exit" && words >> number) ::_exit(number);
    if (verb == "stderr" && std::getline(words >> std::ws, text)) {
      text += '\n';
      if (::write(2, text.data(), text.size()) < 0) ::_exit(99);
    }
    while (verb == "hang") ::pause();
  }

 private:
  void SendRaw(const std::string& bytes) const {
    const int room = 8 << 20;
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
    if (::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) ::_exit(98);
  }

  void SendTruncated() const {
    rpc::criu_resp response;
    response.set_type(request_.type());
    response.set_success(true);
    response.set_cr_errmsg(std::string(100, 'x'));
    const std::string bytes = response.SerializeAsString();
    SendRaw(bytes.substr(0, bytes.size() / 2));
  }

  void TellVersion(std::istringstream& words) {
    if (!std::isdigit((words >> std::ws).peek())) {
      std::string verb;
      words >> verb;
      return Misbehave(verb, words);
    }
    rpc::criu_resp response;
    response.set_type(rpc::VERSION);
    response.set_success(true);
    int numbers[3] = {};
    words >> numbers[0] >> numbers[1] >> numbers[2];
    response.mutable_version()->set_major_number(numbers[0]);
    response.mutable_version()->set_minor_number(numbers[1]);
    response.mutable_version()->set_sublevel(numbers[2]);
    SendRaw(response.SerializeAsString());
    ::_exit(0);
  }

  void Notify(std::istringstream& words, bool with_descriptor) {
    std::string name;
    int pid = 0;
    words >> name >> pid;
    rpc::criu_resp response;
    response.set_type(rpc::NOTIFY);
    response.set_success(true);
    response.mutable_notify()->set_script(name);
    if (pid > 0) response.mutable_notify()->set_pid(pid);
    if (with_descriptor) {
      SendWithDescriptor(response.SerializeAsString());
    } else {
      SendRaw(response.SerializeAsString());
    }
    char bytes[4096];
    const ssize_t got = ::recv(socket_, bytes, sizeof bytes, 0);
    rpc::criu_req reply;
    const bool yes = got > 0 && reply.ParseFromArray(bytes, static_cast<int>(got)) &&
                     reply.type() == rpc::NOTIFY && reply.notify_success();
    answers_ << name << (yes ? " true" : " false") << std::endl;
    refused_ = refused_ || !yes;
  }

  void SendWithDescriptor(std::string bytes) const {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    iovec part{.iov_base = bytes.data(), .iov_len = bytes.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    const int sent = ::open("/dev/full", O_RDWR | O_CLOEXEC);
    std::memcpy(CMSG_DATA(rights), &sent, sizeof sent);
    if (::sendmsg(socket_, &header, 0) < 0) ::_exit(97);
    ::close(sent);
  }

  void Log(std::istringstream& words) const {
    ucred peer{};
    socklen_t size = sizeof peer;
    ::getsockopt(socket_, SOL_SOCKET, SO_PEERCRED, &peer, &size);
    std::string text;
    std::getline(words, text);
    std::ofstream log("/proc/" + std::to_string(peer.pid) + "/fd/" +
                          std::to_string(request_.opts().work_dir_fd()) + "/" +
                          request_.opts().log_file(),
                      std::ios::app);
    log << text << '\n';
  }

  void Answer(bool success, std::istringstream& words) const {
    rpc::criu_resp response;
    response.set_type(request_.type());
    response.set_success(success);
    int number = 0;
    words >> number;
    if (success && number > 0) response.mutable_restore()->set_pid(number);
    if (!success && number > 0) response.set_cr_errno(number);
    std::string text;
    if (!success && std::getline(words, text) && !text.empty()) response.set_cr_errmsg(text);
    SendRaw(response.SerializeAsString());
  }

  int socket_;
  std::string self_;
  std::ofstream answers_;
  rpc::criu_req request_;
  bool refused_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv, argv + argc);
  if (arguments.size() != 4 || arguments[2] != "swrk") return 2;
  FakeCriu fake(std::stoi(arguments[3]), arguments[0]);
  std::ifstream script(arguments[0] + ".script");
  std::string line;
  if (!fake.ReceiveRequest()) return 3;
  while (std::getline(script, line)) fake.Obey(line);
  return 0;
}
