#include "net/netlink.h"

#include <algorithm>

#include <netlink/errno.h>
#include <netlink/handlers.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#include "net/netns.h"
#include "net/nl_error.h"

namespace crd::net {
namespace {

// A dump comes in as few messages as fit; the kernel makes none bigger than this.
constexpr std::size_t kReceiveBuffer = 32U << 10U;
// A table that changes as often as it is read is not going to hold still.
constexpr int kDumpAttempts = 16;

struct CallbackFree {
  void operator()(nl_cb* callbacks) const { nl_cb_put(callbacks); }
};

struct Exchanged {
  std::vector<Answer> answers;
  int refused = 0;  // errno
  std::string reason;
  bool done = false;
  bool interrupted = false;
};

int TakeAnswer(nl_msg* message, void* into) {
  auto& exchanged = *static_cast<Exchanged*>(into);
  exchanged.answers.emplace_back(nlmsg_hdr(message));
  return NL_OK;
}

int TakeInterruption(nl_msg* /*message*/, void* into) {
  static_cast<Exchanged*>(into)->interrupted = true;
  return NL_OK;
}

int TakeEnd(nl_msg* /*message*/, void* into) {
  static_cast<Exchanged*>(into)->done = true;
  return NL_STOP;
}

// NLMSGERR_ATTR_MSG comes after the request that the kernel quotes, or its header alone.
std::string ReasonOf(const nlmsgerr* error) {
  const auto* header = reinterpret_cast<const nlmsghdr*>(error) - 1;
  if ((header->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return "";
  std::size_t quoted = NLMSG_HDRLEN;
  if ((header->nlmsg_flags & NLM_F_CAPPED) == 0) quoted = NLMSG_ALIGN(error->msg.nlmsg_len);
  const std::size_t skipped = NLMSG_HDRLEN + sizeof(int) + quoted;
  if (header->nlmsg_len <= skipped) return "";
  const auto* attributes =
      reinterpret_cast<const nlattr*>(reinterpret_cast<const char*>(header) + skipped);
  const nlattr* text =
      nla_find(attributes, static_cast<int>(header->nlmsg_len - skipped), NLMSGERR_ATTR_MSG);
  if (text == nullptr) return "";
  const Bytes bytes = Attributes::DataOf(text);
  return {bytes.begin(), std::find(bytes.begin(), bytes.end(), '\0')};
}

int TakeError(sockaddr_nl* /*from*/, nlmsgerr* error, void* into) {
  auto& exchanged = *static_cast<Exchanged*>(into);
  exchanged.refused = -error->error;
  exchanged.reason = ReasonOf(error);
  exchanged.done = true;
  return NL_STOP;
}

}  // namespace

void Netlink::Free::operator()(nl_sock* socket) const { nl_socket_free(socket); }

Result<Netlink> Netlink::Open(FdRef netns) {
  std::unique_ptr<nl_sock, Free> socket(nl_socket_alloc());
  if (socket == nullptr) return Error::FromErrno(ENOMEM, "open a netlink socket");
  TRY(RunInNetns(netns, [&]() -> Result<void> {
    if (const int failed = nl_connect(socket.get(), NETLINK_ROUTE); failed < 0) {
      return NlError(failed, "ask the kernel for its network");
    }
    return {};
  }));
  nl_socket_set_msg_buf_size(socket.get(), kReceiveBuffer);
  const int on = 1;
  const int fd = nl_socket_get_fd(socket.get());
  // Both only make answers better: reasons in words, and dumps that the kernel filters itself.
  static_cast<void>(::setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on));
  static_cast<void>(::setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on));
  return Netlink(std::move(socket));
}

Result<std::vector<Answer>> Netlink::Exchange(const Request& request, int flags,
                                              std::string_view what, bool& interrupted) {
  if (!request.complete_) return Error::FromErrno(EMSGSIZE, what);
  nlmsghdr* header = nlmsg_hdr(request.message_.get());
  header->nlmsg_flags = static_cast<std::uint16_t>(header->nlmsg_flags | NLM_F_REQUEST | flags);
  header->nlmsg_seq = NL_AUTO_SEQ;
  header->nlmsg_pid = NL_AUTO_PORT;
  if (const int sent = nl_send_auto(socket_.get(), request.message_.get()); sent < 0) {
    return NlError(sent, what);
  }
  const std::unique_ptr<nl_cb, CallbackFree> callbacks(nl_cb_alloc(NL_CB_DEFAULT));
  if (callbacks == nullptr) return Error::FromErrno(ENOMEM, what);
  Exchanged exchanged;
  nl_cb_set(callbacks.get(), NL_CB_VALID, NL_CB_CUSTOM, TakeAnswer, &exchanged);
  nl_cb_set(callbacks.get(), NL_CB_FINISH, NL_CB_CUSTOM, TakeEnd, &exchanged);
  nl_cb_set(callbacks.get(), NL_CB_ACK, NL_CB_CUSTOM, TakeEnd, &exchanged);
  nl_cb_set(callbacks.get(), NL_CB_DUMP_INTR, NL_CB_CUSTOM, TakeInterruption, &exchanged);
  nl_cb_err(callbacks.get(), NL_CB_CUSTOM, TakeError, &exchanged);
  while (!exchanged.done) {
    const int received = nl_recvmsgs(socket_.get(), callbacks.get());
    if (received < 0 && !exchanged.done) return NlError(received, what);
  }
  if (exchanged.refused != 0) {
    Error error = Error::FromErrno(exchanged.refused, what);
    if (exchanged.refused == ENODEV) error.code = Code::kNotFound;
    if (!exchanged.reason.empty()) error.message += fmt::format(" ({})", exchanged.reason);
    return error;
  }
  interrupted = exchanged.interrupted;
  return std::move(exchanged.answers);
}

Result<std::vector<Answer>> Netlink::Dump(const Request& request, std::string_view what) {
  for (int attempt = 0; attempt < kDumpAttempts; ++attempt) {
    bool interrupted = false;
    std::vector<Answer> answers = TRY(Exchange(request, NLM_F_DUMP, what, interrupted));
    if (!interrupted) return answers;
  }
  return Error{.code = Code::kUnavailable,
               .message = fmt::format("{}: it changes all the time", what)};
}

Result<Answer> Netlink::Ask(const Request& request, std::string_view what) {
  bool interrupted = false;
  std::vector<Answer> answers = TRY(Exchange(request, NLM_F_ACK, what, interrupted));
  if (answers.empty()) return Error::Internal("{}: no answer", what);
  return std::move(answers.front());
}

Result<void> Netlink::Do(const Request& request, std::string_view what) {
  bool interrupted = false;
  TRY(Exchange(request, NLM_F_ACK, what, interrupted));
  return {};
}

}  // namespace crd::net
