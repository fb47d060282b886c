#pragma once

namespace crd::rpc {

// An idle gRPC 1.51 server wakes up for ever: its two timer threads look for timers once a second
// and per shard of theirs (two shards a core, up to 32), although there are none. A daemon that
// waits for weeks should not. Both threads are done away with, for the whole process, so this is
// only for a process that is no gRPC client: a client needs timers to connect and for its
// deadlines.
//
// What a server loses: the deadline of a call is enforced by its client, which resets the call when
// it has passed, and not a second time here (ServerContext::deadline() tells it as before); and
// gRPC does not ping its clients, which is of no use on a Unix socket, where the kernel tells at
// once that the other side has gone.
//
// With another release of gRPC than 1.51 both functions do what they still can, or nothing: the
// server works as well, and wakes up.

// Call it before anything of gRPC is used.
void UseQuietEventEngine();

// Call it while a server exists.
void StopGrpcTimers();

}  // namespace crd::rpc
