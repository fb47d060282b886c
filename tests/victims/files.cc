#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

#include "tests/victims/modes.h"

namespace crd::victims {
namespace {

int Make(Self& self, const std::string& path) {
  return self.RequireCall(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600),
                          "make a file");
}

// Writes numbers into a file and reads them again, for ever.
void KeepWriting(Self& self, int fd, std::size_t size, int activity) {
  const auto slots = static_cast<std::uint64_t>(size / sizeof(std::uint64_t));
  for (std::uint64_t count = slots + 1;; ++count) {
    const auto offset = static_cast<off_t>((count % slots) * sizeof count);
    std::uint64_t older = 0;
    self.Require(::pread(fd, &older, sizeof older, offset) == sizeof older, "read the file");
    self.Require(older == count - slots, "the file's content is wrong");
    self.Require(::pwrite(fd, &count, sizeof count, offset) == sizeof count, "write the file");
    self.Tick(activity, count);
    Self::Pause();
  }
}

void Fill(Self& self, int fd, std::size_t size) {
  const std::uint64_t slots = size / sizeof(std::uint64_t);
  std::string content(size, '\0');
  for (std::uint64_t slot = 0; slot < slots; ++slot) {
    const std::uint64_t number = slot == 0 ? slots : slot;
    std::memcpy(&content[slot * sizeof number], &number, sizeof number);
  }
  self.Require(::pwrite(fd, content.data(), size, 0) == static_cast<ssize_t>(size), "fill a file");
}

}  // namespace

void Ghost(Self& self, const Arguments& arguments) {
  const int activity = self.Activities(1);
  const std::size_t size = static_cast<std::size_t>(arguments.Number(0, 64)) << 10U;
  const std::string path = self.Beside("ghost");
  const int fd = Make(self, path);
  Fill(self, fd, size);
  self.RequireCall(::unlink(path.c_str()), "delete the file");
  self.Ready();
  KeepWriting(self, fd, size, activity);
}

void LinkRemap(Self& self, const Arguments& arguments) {
  const int activity = self.Activities(1);
  // MiB that it holds besides.
  const std::string memory(static_cast<std::size_t>(arguments.Number(0, 0)) << 20U, 'm');
  const std::string path = self.Beside("first-name");
  const std::string other = self.Beside("other-name");
  const int fd = Make(self, path);
  ::unlink(other.c_str());
  self.RequireCall(::link(path.c_str(), other.c_str()), "give the file another name");
  self.RequireCall(::unlink(path.c_str()), "delete the first name");
  self.Ready();
  // What is written to it is in the file that still has a name. What was written before is not
  // asked for: the file is no part of a checkpoint, and is not what it was at that time.
  for (std::uint64_t count = 1;; ++count) {
    self.Require(::pwrite(fd, &count, sizeof count, 0) == sizeof count, "write the file");
    std::uint64_t found = 0;
    const int again = self.RequireCall(::open(other.c_str(), O_RDONLY | O_CLOEXEC), "open it");
    self.Require(::pread(again, &found, sizeof found, 0) == sizeof found, "read the file");
    ::close(again);
    self.Require(found == count, "it is another file");
    self.Tick(activity, count);
    Self::Pause();
  }
}

// The parent holds the locks; a child finds each held, over and over.
void Locks(Self& self, const Arguments&) {
  const int first = self.Activities(2);
  const std::string flock_path = self.Beside("flock");
  const std::string posix_path = self.Beside("posix");
  const int flocked = Make(self, flock_path);
  const int posix = Make(self, posix_path);
  self.RequireCall(::flock(flocked, LOCK_EX | LOCK_NB), "lock with flock");
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = 10;
  lock.l_len = 20;
  self.RequireCall(::fcntl(posix, F_SETLK, &lock), "lock with fcntl");
  const pid_t owner = ::getpid();
  ForkChild(self, [&] {
    ::close(flocked);
    ::close(posix);
    const int again = self.RequireCall(::open(flock_path.c_str(), O_RDWR | O_CLOEXEC), "open");
    const int asker = self.RequireCall(::open(posix_path.c_str(), O_RDWR | O_CLOEXEC), "open");
    for (std::uint64_t count = 1;; ++count) {
      self.Require(::flock(again, LOCK_EX | LOCK_NB) != 0, "the flock was lost");
      struct flock found = lock;
      self.RequireCall(::fcntl(asker, F_GETLK, &found), "ask for the lock");
      self.Require(found.l_type == F_WRLCK && found.l_pid == owner, "the posix lock was lost");
      self.Tick(first + 1, count);
      Self::Pause();
    }
  });
  self.Ready();
  for (std::uint64_t count = 1;; ++count) {
    self.Tick(first, count);
    Self::Pause();
  }
}

void Writer(Self& self, const Arguments&) {
  const int activity = self.Activities(1);
  self.Ready();
  for (std::uint64_t count = 1;; ++count) {
    const std::string line = "line " + std::to_string(count) + "\n";
    for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
      self.Require(::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size()),
                   "write a line");
    }
    self.Tick(activity, count);
    Self::Pause();
    Self::Pause();
  }
}

namespace {

// Answers every line on stdin; ends with code 0 at its end. Ticks meanwhile.
void AnswerLines(Self& self) {
  const int activity = self.Activities(1);
  self.Ready();
  std::string text;
  for (std::uint64_t count = 1;; ++count) {
    self.Tick(activity, count);
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&input, 1, 1);
    if (ready <= 0) continue;
    char part[256];
    const ssize_t got = ::read(STDIN_FILENO, part, sizeof part);
    if (got == 0) ::_exit(0);
    self.RequireCall(got, "read a line");
    text.append(part, static_cast<std::size_t>(got));
    for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n')) {
      const std::string answer = "got " + text.substr(0, end) + "\n";
      text.erase(0, end + 1);
      self.RequireCall(::write(STDOUT_FILENO, answer.data(), answer.size()), "answer a line");
    }
  }
}

}  // namespace

void Reader(Self& self, const Arguments&) { AnswerLines(self); }

void Terminal(Self& self, const Arguments&) {
  self.Require(::isatty(STDIN_FILENO) == 1, "stdin is no terminal");
  AnswerLines(self);
}

}  // namespace crd::victims
