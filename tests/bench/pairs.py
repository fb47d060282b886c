"""CRIU against crd, taking turns on equal workloads; and how their figures relate, pair by pair."""
import os
import statistics
import sys

from processes import Workload

WARM_UP = 2


def one_turn(contestant, workload_arguments):
    """A fresh workload is dumped while it runs on, dumped for good, restored, and ended."""
    contestant.prepare()
    workload = Workload(*workload_arguments)
    try:
        result = {}
        for kind in ("running", "ending"):
            # Nobody pays for what somebody else has left to be written.
            os.sync()
            result[kind] = contestant.checkpoint(workload.pid, leave_running=kind == "running")
            if kind == "running":
                contestant.discard()
        workload.await_gone()
        os.sync()
        result["restore"] = contestant.restore()
        workload.check_runs()
    finally:
        workload.kill()
    contestant.discard()
    return {f"{kind} {name}": value for kind, values in result.items() for name, value in values.items()}


def quartiles(values):
    return statistics.quantiles(values, n=4, method="inclusive")


def milliseconds(values):
    low, median, high = quartiles(values)
    return f"{median * 1e3:8.2f} ({low * 1e3:.2f}-{high * 1e3:.2f})"


def ratio(ours, theirs):
    low, median, high = quartiles([our / their for our, their in zip(ours, theirs)])
    return f"{median:6.2f} ({low:.2f}-{high:.2f})"


LINES = (("checkpoint, tree ends", "ending whole"), ("checkpoint, tree runs on", "running whole"), ("restore", "restore whole"),
         ("frozen, tree ends", "ending frozen"), ("frozen, tree runs on", "running frozen"))


def compare(title, bare, crd, workload_arguments, rounds):
    contestants = [*bare, crd]
    turns = {contestant.name: [] for contestant in contestants}
    for number in range(WARM_UP + rounds):
        # The order changes, so that nobody is always first.
        first = number % len(contestants)
        for contestant in contestants[first:] + contestants[:first]:
            turn = one_turn(contestant, workload_arguments)
            if number >= WARM_UP:
                turns[contestant.name].append(turn)
        print(f"\r{title}: round {number + 1} of {WARM_UP + rounds}", end="", file=sys.stderr, flush=True)
        crd.forget_ended()
    print("\r\033[K" if sys.stderr.isatty() else "", file=sys.stderr)
    tell(title, rounds, bare, crd, turns)


def tell(title, rounds, bare, crd, turns):
    def series(contestant, name):
        return [turn[name] for turn in turns[contestant.name]]

    print(f"\n## {title}: {rounds} rounds; median and quartiles, in ms\n")
    print("|", " | ".join(["", *[one.name for one in bare], crd.name, *[f"crd / {one.name}" for one in bare]]), "|")
    print("|---" * (2 + 2 * len(bare)) + "|")
    for label, name in LINES:
        cells = [milliseconds(series(one, name)) for one in [*bare, crd]]
        cells += [ratio(series(crd, name), series(one, name)) for one in bare]
        print("|", " | ".join([label, *cells]), "|")
    for what, prefix in (("a checkpoint after which the tree ends", "ending stage "), ("a restore", "restore stage ")):
        print(f"\ncrd's stages of {what}, in ms:")
        for name in turns[crd.name][0]:
            if name.startswith(prefix):
                print(f"  {name[len(prefix):]:18}{milliseconds(series(crd, name))}")
