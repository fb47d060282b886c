#pragma once

namespace crd {

// What `crd --copy-console` is: copies what a terminal prints, whose master is descriptor 0, to
// descriptor 1, until nobody has the terminal open any more. Started by crd for the console of a
// restored container that goes to a log; a process of its own, so that crd may end before the
// container. A log that cannot be written to (a full disk) loses what is printed, but the terminal
// is read on: the container must not stand still for it. Gives the exit status.
int CopyConsole();

}  // namespace crd
