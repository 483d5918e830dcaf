"""Tries the suites on a naive program: each must find it guilty, or it would find nothing at all.

What counts is that wrong results are found, not that the naive program lacks a command or a word of warning. Fails if a
suite lets `naive.py` pass.
"""

import sys
from pathlib import Path

import damage
import kill
import processes
import syscall_faults
from common import Suite, networks, pictures

GUILTY = ("another ranking", "other features")
NAIVE = [sys.executable, str(Path(__file__).with_name("naive.py"))]


def killed(suite, scenario):
    kill.kills(suite, 8, 0, [(scenario, {"group": 1})])


def competing(suite, scenario):
    processes.rounds(suite, scenario, 2, 0, 1)


def damaged(suite, scenario):
    scenario.undisturbed()
    damage.damages([damage.State(suite, scenario, "finished")], 6, 4, 0)


def refused(suite, scenario):
    faults = syscall_faults.Faults(suite, scenario, False)
    faults.all(["openat", "write", "mkdir"], ["ENOSPC"], False, 3)


def main():
    acquitted = []
    for check in (killed, competing, damaged, refused):
        with Suite(NAIVE, quiet=True) as suite:
            pictures(suite.folder / "pictures", 30)
            networks(suite.folder / "networks", 2)
            check(suite, suite.scenario("naive", "pictures", "networks", "--threads", "1"))
        guilty = sum(problem.endswith(GUILTY) for problem in suite.broken)
        print(f"a naive program, {check.__name__}: {guilty} wrong results found", flush=True)
        acquitted += [] if guilty else [check.__name__]
    if acquitted:
        sys.exit(f"these suites can't fail: {', '.join(acquitted)}")


if __name__ == "__main__":
    main()
