"""Starts several rankings at once in one cache, round after round.

Two to eight processes do the same job; in some rounds the one whose worker is running is killed. All the others must
end well with the JSON and the features of one undisturbed ranking. The forward passes of all processes together are
counted by strace: at most 1.05 times those of one process, and where one was killed the blocks that its worker had in
flight on top. A process that meets a lock says within a second that it waits.
"""

import math
import random
import time

from common import PATIENCE, Suite, arguments, calls_of, networks, pictures
from passes import Passes, watching

WORDS = "another process is at it"
THREADS = 2


def prepare(folder):
    pictures(folder / "pictures", 300)
    networks(folder / "networks", 5)


class Round:
    """Some processes at once."""

    def __init__(self, suite, scenario, count, name):
        self.suite, self.scenario, self.name = suite, scenario, name
        scenario.fresh()
        self.logs = [scenario.folder / f"{number}.log" for number in range(count)]
        self.runs = [scenario.start(watching(log), str(number)) for number, log in enumerate(self.logs)]
        self.killed = None

    def kill_holder(self, seconds):
        """Kills the process whose worker is the first to run after so many seconds."""
        time.sleep(seconds)
        while not self.killed and any(run.wait(0.001) is None for run in self.runs):
            self.killed = next((run for run in self.runs if run.worker()), None)
        if self.killed:
            self.killed.kill()

    def end(self, expected):
        """Waits for all, and looks at what each gave."""
        for run in self.runs:
            code = run.wait(PATIENCE)
            if code is None:
                self.broken(["hangs"])
                run.kill()
            elif run is not self.killed:
                self.broken(self.scenario.faults_of(code, *run.printed(), expected))

    def count(self, single, block):
        """Compares the forward passes with those of one process; a killed one may lose what is in flight."""
        total = sum(Passes(log).count() for log in self.logs)
        what = "passes, times those of one process, most" + (" where one was killed" if self.killed else "")
        self.suite.largest(what, total / single if single else 0)
        if total > 1.05 * single + (block * (THREADS + 1) if self.killed else 0):
            self.broken([f"{total} forward passes, {single} of one process"])

    def waits(self):
        """Looks how long it took each process that met a lock to say so."""
        logs = [log for log, run in zip(self.logs, self.runs) if run is not self.killed]
        for seconds in [seconds for log in logs for seconds in waits(log)]:
            self.suite.counts["waits for a lock"] += 1
            self.suite.largest("seconds until a wait was said, most", seconds)
            if seconds > 1:
                self.broken([f"said that it waits after {seconds:.1f} s"])

    def broken(self, problems):
        self.suite.break_(f"processes, round {self.name}", problems)


def waits(log):
    """How long after meeting a lock it was said; infinite if never."""
    met = {}
    for thread, name, line in calls_of(log):
        at = float(line.split()[0])
        if name == "flock" and "EAGAIN" in line:
            met[thread] = at
        elif name == "write" and WORDS in line and thread in met:
            yield at - met.pop(thread)
    yield from [math.inf] * len(met)


def alone(suite, scenario):
    """What one process gives, its forward passes, its seconds, and the rows of a block."""
    expected, begun = scenario.undisturbed(), time.monotonic()
    one = Round(suite, scenario, 1, "of one")
    one.end(expected)
    return expected, Passes(one.logs[0]).count(), time.monotonic() - begun


def rounds(suite, scenario, count, seed, block):
    """Lets processes compete so many times."""
    chance = random.Random(seed)
    expected, single, seconds = alone(suite, scenario)
    suite.counts["passes of one process"] = single
    for number in range(count):
        together = Round(suite, scenario, 2 + number % 7, number)
        if chance.random() < 0.4:
            together.kill_holder(math.exp(chance.uniform(math.log(seconds / 10), math.log(seconds))))
        together.end(expected)
        together.count(single, block)
        together.waits()
        suite.progress("rounds")
        suite.counts["processes"] += len(together.runs)
        suite.counts["rounds in which one was killed"] += together.killed is not None


def main():
    options = arguments(__doc__)
    options.add_argument("--rounds", type=int, default=50)
    chosen = options.parse_args()
    with Suite([chosen.program]) as suite:
        prepare(suite.folder)
        scenario = suite.scenario("processes", "pictures", "networks", "--threads", str(THREADS))
        rounds(suite, scenario, chosen.rounds, chosen.seed, 30)
        if not suite.counts["passes of one process"] or not suite.counts["waits for a lock"]:
            suite.break_("processes", ["nothing was measured"])
        suite.end()


if __name__ == "__main__":
    main()
