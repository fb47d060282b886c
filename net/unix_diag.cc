#include "net/unix_diag.h"

#include <cstring>
#include <utility>

#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <netlink/attr.h>
#include <netlink/handlers.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#include "net/netns.h"
#include "net/nl_error.h"

namespace crd::net {
namespace {

constexpr std::uint8_t kBothDirections = 3;  // RCV_SHUTDOWN | SEND_SHUTDOWN
constexpr std::uint32_t kNoCookie = ~0U;     // the socket is named by its inode alone

struct CallbackFree {
  void operator()(nl_cb* callbacks) const { nl_cb_put(callbacks); }
};

std::string NameOf(nlattr* attribute) {
  if (attribute == nullptr) return {};
  std::string name(static_cast<const char*>(nla_data(attribute)),
                   static_cast<std::size_t>(nla_len(attribute)));
  if (!name.empty() && name.front() == '\0') {
    name.front() = '@';
  } else {
    name = name.c_str();  // paths may come with bytes after their end
  }
  return name;
}

std::vector<ino_t> Inodes(nlattr* attribute) {
  std::vector<ino_t> inodes;
  if (attribute == nullptr) return inodes;
  std::vector<std::uint32_t> raw(static_cast<std::size_t>(nla_len(attribute)) /
                                 sizeof(std::uint32_t));
  std::memcpy(raw.data(), nla_data(attribute), raw.size() * sizeof(std::uint32_t));
  inodes.assign(raw.begin(), raw.end());
  return inodes;
}

// The only message that an exact query is answered with.
int TakeAnswer(nl_msg* message, void* into) {
  nlmsghdr* header = nlmsg_hdr(message);
  if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY) return NL_SKIP;
  nlattr* attributes[UNIX_DIAG_MAX + 1] = {};
  if (nlmsg_parse(header, sizeof(unix_diag_msg), attributes, UNIX_DIAG_MAX, nullptr) < 0) {
    return NL_SKIP;
  }
  const auto* diag = static_cast<const unix_diag_msg*>(nlmsg_data(header));
  UnixSocket socket{.inode = diag->udiag_ino,
                    .type = diag->udiag_type,
                    .state = diag->udiag_state,
                    .peer = {},
                    .name = NameOf(attributes[UNIX_DIAG_NAME]),
                    .waiting = Inodes(attributes[UNIX_DIAG_ICONS])};
  if (nlattr* peer = attributes[UNIX_DIAG_PEER]) socket.peer = nla_get_u32(peer);
  if (nlattr* shutdown = attributes[UNIX_DIAG_SHUTDOWN]) {
    socket.shut_down = nla_get_u8(shutdown) == kBothDirections;
  }
  if (nlattr* lengths = attributes[UNIX_DIAG_RQLEN]; lengths != nullptr && !socket.listening()) {
    unix_diag_rqlen queues{};
    std::memcpy(&queues, nla_data(lengths), sizeof queues);
    socket.unsent = queues.udiag_wqueue;
  }
  *static_cast<std::optional<UnixSocket>*>(into) = std::move(socket);
  return NL_OK;
}

}  // namespace

bool UnixSocket::listening() const { return state == TCP_LISTEN; }
bool UnixSocket::connected_stream() const {
  return state == TCP_ESTABLISHED && (type == SOCK_STREAM || type == SOCK_SEQPACKET);
}

void UnixDiag::Free::operator()(nl_sock* socket) const { nl_socket_free(socket); }

Result<UnixDiag> UnixDiag::Open(FdRef netns) {
  std::unique_ptr<nl_sock, Free> socket(nl_socket_alloc());
  if (socket == nullptr) return Error::FromErrno(ENOMEM, "open a netlink socket");
  nl_socket_disable_auto_ack(socket.get());
  TRY(RunInNetns(netns, [&]() -> Result<void> {
    if (const int failed = nl_connect(socket.get(), NETLINK_SOCK_DIAG); failed < 0) {
      return NlError(failed, "ask the kernel for its unix sockets");
    }
    return {};
  }));
  return UnixDiag(std::move(socket));
}

Result<UnixSocket> UnixDiag::Find(ino_t inode) {
  const std::string what = fmt::format("ask the kernel about unix socket {}", inode);
  unix_diag_req request{};
  request.sdiag_family = AF_UNIX;
  request.udiag_states = ~0U;
  request.udiag_ino = static_cast<std::uint32_t>(inode);
  request.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_ICONS | UDIAG_SHOW_RQLEN;
  request.udiag_cookie[0] = kNoCookie;
  request.udiag_cookie[1] = kNoCookie;
  int result = nl_send_simple(socket_.get(), SOCK_DIAG_BY_FAMILY, 0, &request, sizeof request);
  if (result < 0) return NlError(result, what);

  std::optional<UnixSocket> answer;
  const std::unique_ptr<nl_cb, CallbackFree> callbacks(nl_cb_alloc(NL_CB_DEFAULT));
  if (callbacks == nullptr) return Error::FromErrno(ENOMEM, what);
  nl_cb_set(callbacks.get(), NL_CB_VALID, NL_CB_CUSTOM, TakeAnswer, &answer);
  result = nl_recvmsgs(socket_.get(), callbacks.get());
  if (result < 0) return NlError(result, what);
  if (!answer.has_value()) return Error::Internal("{}: no answer", what);
  return std::move(*answer);
}

}  // namespace crd::net
