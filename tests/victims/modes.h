#pragma once

#include "tests/victims/self.h"

namespace crd::victims {

// What follows MODE and the report's path on the command line.
struct Arguments {
  int count = 0;
  char** values = nullptr;
  // The argument at `index` as text or number, the fallback if there is none.
  [[nodiscard]] const char* Text(int index, const char* fallback = "") const;
  [[nodiscard]] int Number(int index, int fallback) const;
};

// One kind of tree each. None returns. The text after a name is what it takes and what it is for.

// Memory.
void Counter(Self& self, const Arguments& arguments);  // the smallest one
void Threads(Self& self, const Arguments& arguments);  // [N]; values: the threads' ids
void Memory(Self& self, const Arguments& arguments);   // [MIB], whose content is checked for ever
void SharedMemory(Self& self, const Arguments& arguments);  // anonymous and memfd, two processes
void SysvMemory(Self& self, const Arguments& arguments);    // [own]: in an IPC namespace of its own

// Between processes.
void Pipes(Self& self, const Arguments& arguments);
void UnixSockets(Self& self, const Arguments& arguments);
void Tcp(Self& self, const Arguments& arguments);       // [4|6]: a pair, echoing
void Listener(Self& self, const Arguments& arguments);  // values[0]: its port. Echoes once
void Server(Self& self, const Arguments& arguments);    // values[0]: its port. Echoes for ever
void Backlog(Self& self,
             const Arguments& arguments);  // ["anywhere"]; values[0]: its port. Never accepts

// To somebody outside of the tree.
void Stream(Self& self, const Arguments& arguments);  // [ADDRESS PORT]; else values[0]: its port
void HalfClosed(Self& self, const Arguments& arguments);  // values[0]: its port
void Udp(Self& self, const Arguments& arguments);         // values[0]: its port

// Files and events.
void Ghost(Self& self, const Arguments& arguments);      // [KIB] of a deleted file
void LinkRemap(Self& self, const Arguments& arguments);  // deleted, but has another name
void Locks(Self& self, const Arguments& arguments);
void Events(Self& self, const Arguments& arguments);  // epoll, eventfd, timerfd, signalfd, inotify
void PeriodicTimer(Self& self, const Arguments& arguments);  // a timerfd that nobody sets again

// Processes.
void Tree(Self& self, const Arguments& arguments);  // [N] processes
void Sessions(Self& self, const Arguments& arguments);
void Ends(Self& self,
          const Arguments& arguments);  // FILE: "exit N" or "signal N", once it is there
void Orphans(Self& self, const Arguments& arguments);  // FILE: makes one then. values: pid, parent
void Zombies(Self& self, const Arguments& arguments);  // FILE N: orphans that end. values[0]: made
void Forker(Self& self, const Arguments& arguments);   // has a new child every millisecond
void Holder(Self& self,
            const Arguments& arguments);  // FILE MODE…: reaps its child then. values[0]: that

// Standard streams.
void Writer(Self& self, const Arguments& arguments);    // "line N" on stdout and stderr
void Reader(Self& self, const Arguments& arguments);    // says "got LINE" to every line
void Terminal(Self& self, const Arguments& arguments);  // the same on a terminal that it checks

// What cannot be dumped, or leads outside.
void IoUring(Self& self, const Arguments& arguments);
void Traced(Self& self, const Arguments& arguments);
void PacketRing(Self& self, const Arguments& arguments);
void UnixClient(Self& self, const Arguments& arguments);  // PATH [dgram]
void PipeHolder(Self& self, const Arguments& arguments);  // FD that it inherits
void Socket(Self& self, const Arguments& arguments);      // [FAMILY TYPE]; AF_XDP by itself
void Opens(Self& self, const Arguments& arguments);       // PATH

}  // namespace crd::victims
