#pragma once

namespace crd::client {

// What crctl's exit status says. `restore --wait` exits as the restored program did instead, and a
// call that a signal cut short as 128 + that signal.
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;    // refused or failed
inline constexpr int kUsage = 2;     // nothing was sent
inline constexpr int kNoDaemon = 3;  // there is none, or it may not be asked
inline constexpr int kSignalBase = 128;

}  // namespace crd::client
