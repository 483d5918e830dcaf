"""Ranks with 1, 2 and 8 threads, at once and interrupted by a kill: JSON (but for `timing`) and features must be equal,
byte by byte.

Where a ranking was killed it goes on with another number of threads.
"""

import itertools
import math
import random
import time

from common import Suite, arguments, networks, pictures, texts, vectors

THREADS = ["1", "2", "8"]


def prepare(folder):
    pictures(folder / "pictures", 60)
    networks(folder / "networks", 2)
    texts(folder / "texts.csv", 600)
    vectors(folder / "vectors", 5)


def interrupted(scenario, threads, seconds):
    """Kills a ranking after so many seconds; whether there was anything to kill."""
    run = scenario.start(more=["--threads", threads])
    code = run.wait(seconds)
    if code is None:
        run.kill()
    return code is None


def compare(suite, scenario, chance, repeats):
    """All numbers of threads, and all pairs of them with a kill between."""
    expected, begun = scenario.undisturbed(), time.monotonic()
    scenario.fresh()
    scenario.run()
    seconds = time.monotonic() - begun
    for before, after in itertools.product([None, *THREADS], THREADS * repeats):
        scenario.fresh()
        moment = seconds * math.exp(chance.uniform(math.log(1 / 20), 0))
        if before and interrupted(scenario, before, moment):
            suite.counts[f"{scenario.name}, killed with {before} threads"] += 1
        run = scenario.run(more=["--threads", after])
        suite.progress("rankings compared")
        problems = scenario.faults_of(run.returncode, run.stdout, run.stderr, expected)
        suite.break_(f"{scenario.name}, {before} threads then {after}", problems)


def main():
    options = arguments(__doc__)
    options.add_argument("--repeats", type=int, default=3)
    chosen = options.parse_args()
    with Suite([chosen.program]) as suite:
        prepare(suite.folder)
        chance = random.Random(chosen.seed)
        for scenario in [suite.scenario("pictures", "pictures", "networks"),
                         suite.scenario("truth", "pictures", "networks", "--truth", "probe"),
                         suite.scenario("layers", "pictures", "networks", "--layers", "best"),
                         suite.scenario("race of texts", "texts.csv", "vectors")]:
            compare(suite, scenario, chance, chosen.repeats)
        suite.end()


if __name__ == "__main__":
    main()
