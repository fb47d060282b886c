"""Contestants take turns on equal subjects, and their figures are put side by side, pair by pair."""
import os
import statistics
import sys


def checkpoints(checkpoint, discard):
    """One after which the subject runs on, and one that ends it: figures of each."""
    result = {}
    for kind in ("running", "ending"):
        # Nobody pays for what somebody else has left to be written.
        os.sync()
        result[kind] = checkpoint(leave_running=kind == "running")
        if kind == "running":
            discard()
    return result


def in_turns(title, contestants, warm_up, rounds, one_turn, after_round=lambda: None):
    """The figures of each contestant's turns, by name. `one_turn` gives them by kind and name."""
    turns = {contestant.name: [] for contestant in contestants}
    for number in range(warm_up + rounds):
        # The order changes, so that nobody is always first.
        first = number % len(contestants)
        for contestant in contestants[first:] + contestants[:first]:
            turn = {f"{kind} {name}": value for kind, values in one_turn(contestant).items() for name, value in values.items()}
            if number >= warm_up:
                turns[contestant.name].append(turn)
        print(f"\r{title}: round {number + 1} of {warm_up + rounds}", end="", file=sys.stderr, flush=True)
        after_round()
    print("\r\033[K" if sys.stderr.isatty() else "", file=sys.stderr)
    return turns


def quartiles(values):
    return statistics.quantiles(values, n=4, method="inclusive")


def milliseconds(values):
    low, median, high = quartiles(values)
    return f"{median * 1e3:8.2f} ({low * 1e3:.2f}-{high * 1e3:.2f})"


def ratio(ours, theirs):
    low, median, high = quartiles([our / their for our, their in zip(ours, theirs)])
    return f"{median:6.2f} ({low:.2f}-{high:.2f})"


def tell(heading, lines, others, crd, turns, stages):
    """`lines` are labels with the figure of each, `stages` titles with what the names of crd's own figures begin with."""
    def series(contestant, name):
        return [turn[name] for turn in turns[contestant.name]]

    print(f"\n## {heading}\n")
    contestants = [*others, crd]
    print("|", " | ".join(["", *[one.name for one in contestants], *["crd / " + one.name for one in others]]), "|")
    print("|---" * (len(contestants) + len(others) + 1) + "|")
    for label, name in lines:
        cells = [milliseconds(series(one, name)) for one in contestants]
        cells += [ratio(series(crd, name), series(one, name)) for one in others]
        print("|", " | ".join([label, *cells]), "|")
    for what, prefix in stages:
        print(f"\ncrd's stages of {what}, in ms:")
        for name in turns[crd.name][0]:
            if name.startswith(prefix):
                print(f"  {name[len(prefix):]:18}{milliseconds(series(crd, name))}")
