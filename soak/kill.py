"""Kills rankings at random times and starts them again, until so many were killed.

Three rankings of five models in turn: pictures that race, pictures without a race, texts. Most kills hit the whole
process group, some the parent alone or its worker alone; the times are log-uniform up to that of a whole run. Each
start must succeed or be killed, and what comes of them must be what an undisturbed ranking gives: JSON, digests of all
features, `cache verify`. A block or a sealed file that is there at a kill stays as it is; where strace watches, the
blocks that were begun and are not there are counted: so many are computed again.

A worker of T threads can have T + 1 blocks in flight: each thread may be busy in another one, and one more is being
written.
"""

import contextlib
import json
import math
import os
import random
import signal
import time

from common import Suite, arguments, live, networks, pictures, texts, vectors
from passes import Passes, watching

# The shortest time, as a share of that of a whole run.
SHORTEST = 0.01
# A worker notices that it is alone, and an ending that is not forced has its time.
GRACE = 20


def prepare(folder):
    pictures(folder / "pictures", 1000)
    networks(folder / "networks", 5)
    texts(folder / "texts.csv", 1000)
    vectors(folder / "vectors", 5)


def scenarios(suite):
    """Rankings, and whom a kill may hit: when a model fails in a race, others see more than they would have."""
    everybody = {"group": 6, "parent": 2, "worker": 2}
    return [(suite.scenario("race", "pictures", "networks", "--threads", "2"), {"group": 8, "parent": 2}),
            (suite.scenario("full", "pictures", "networks", "--threads", "1", "--budget", "full"), everybody),
            (suite.scenario("texts", "texts.csv", "vectors", "--threads", "2", "--budget", "full"), everybody)]


class Cycle:
    """One ranking, killed until it gets to its end."""

    def __init__(self, suite, scenario, targets, expected, seconds, chance):
        self.suite, self.scenario, self.targets, self.expected = suite, scenario, targets, expected
        self.seconds, self.random, self.kept, self.groups = seconds, chance, {}, []
        # When the smallest model fails, the weights of another one are permuted.
        self.failed = False

    def run(self, most):
        """The number of kills."""
        self.scenario.fresh()
        kills, on = 0, True
        while on and kills < most:
            on = self.attempt(self.random.choices(list(self.targets), list(self.targets.values()))[0])
            kills += on
            if on:
                self.suite.progress("kills")
            self.stays()
        if on:
            run = self.scenario.run()
            self.ended(run.returncode, run.stdout, run.stderr)
            self.stays()
        self.alone()
        return kills

    def attempt(self, target):
        """Whether a run was killed before it got to its end."""
        watched = target == "group" and self.random.random() < 0.5
        self.scenario.log.unlink(missing_ok=True)
        run = self.scenario.start(watching(self.scenario.log) if watched else ())
        self.groups.append(run.process.pid)
        # strace makes a run about twice as long.
        code = run.wait(self.seconds * (2 if watched else 1) * math.exp(self.random.uniform(math.log(SHORTEST), 0)))
        if code is not None:
            return self.ended(code, *run.printed())
        if target == "worker":
            return self.kill_worker(run)
        if target == "parent":
            run.process.kill()
            code = run.process.wait()
        else:
            code = run.kill()
        if code != -signal.SIGKILL:
            return self.ended(code, *run.printed())
        self.suite.counts[f"kills of the {target}, {self.scenario.name}"] += 1
        if watched:
            self.count_lost()
        return True

    def kill_worker(self, run):
        """Kills the next worker: its model fails and is named; the others go on."""
        worker = run.worker()
        while not worker and run.wait(0.001) is None:
            worker = run.worker()
        if worker:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        code = run.wait(GRACE * self.seconds + GRACE)
        if code is None:
            run.kill()
            self.broken(["hangs after its worker was killed"])
        out, err = run.printed()
        models = json.loads(out)["models"] if code == 4 else []
        named = [model["name"] for model in models if "was killed" in (model["error"] or "")]
        if code == 0 or not worker:
            return self.ended(code, out, err)
        if code != 4 or len(named) != 1:
            self.broken([f"its worker was killed: code {code}, failed: {named}: {err[-300:]}"])
        self.suite.counts[f"kills of the worker, {self.scenario.name}"] += 1
        self.failed = True
        return True

    def count_lost(self):
        """Of the one worker that ran."""
        lost = sum(len(blocks) for blocks in Passes(self.scenario.log).lost().values())
        self.suite.counts[f"kills after which {lost} blocks are computed again, {self.scenario.name}"] += 1
        threads = int(self.scenario.command[self.scenario.command.index("--threads") + 1])
        if lost > threads + 1:
            self.broken([f"{lost} blocks were begun and are not kept"])

    def ended(self, code, out, err):
        self.suite.counts[f"runs to the end, {self.scenario.name}"] += 1
        self.broken(self.scenario.faults_of(code, out, err, self.expected, self.failed))
        return False

    def stays(self):
        """Blocks stay as they are until they are sealed, sealed files for ever."""
        now = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in self.scenario.files()
               if path.suffix in (".safetensors", ".blk")}
        sealed = {path.parent for path in now if path.suffix == ".safetensors"}
        gone = [path for path in self.kept if path not in now and path.parent.parent not in sealed]
        changed = [path for path in self.kept if path in now and now[path] != self.kept[path]]
        self.broken([f"not kept: {self.scenario.place(path)}" for path in gone])
        self.broken([f"computed again: {self.scenario.place(path)}" for path in changed])
        self.suite.counts["looks at a kept file"] += len(self.kept)
        self.kept = now

    def alone(self):
        """No worker outlives its parent."""
        until = time.monotonic() + GRACE
        while any(live(group) for group in self.groups) and time.monotonic() < until:
            time.sleep(0.01)
        self.broken([f"still there: {live(group)}" for group in self.groups if live(group)])

    def broken(self, problems):
        self.suite.break_(f"kill, {self.scenario.name}", problems)


def kills(suite, count, seed, of):
    """Kills rankings so many times."""
    chance, known, killed = random.Random(seed), {}, 0
    while killed < count:
        for scenario, targets in of:
            if scenario.name not in known:
                begun = time.monotonic()
                known[scenario.name] = scenario.undisturbed(), time.monotonic() - begun
            cycle = Cycle(suite, scenario, targets, *known[scenario.name], chance)
            killed += cycle.run(count - killed)


def main():
    options = arguments(__doc__)
    options.add_argument("--kills", type=int, default=200)
    chosen = options.parse_args()
    with Suite([chosen.program]) as suite:
        prepare(suite.folder)
        kills(suite, chosen.kills, chosen.seed, scenarios(suite))
        suite.end()


if __name__ == "__main__":
    main()
