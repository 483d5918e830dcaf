"""Flips single bits of files in the cache and cuts files off, one after the other, and ranks again.

Files of every kind, of pictures and of texts, of a finished ranking and of one that was killed half-way. `cache verify`
must name the damaged file and no other. The ranking must end well and give what it would have given without the damage,
with a warning where a file of features or results is damaged; all other files of features stay as they are, and no more
rows are computed than the damaged file held.
"""

import json
import random
import shutil
import signal
import struct

from common import Suite, arguments, networks, pictures, ranking, texts, vectors

# How a damaged file of each kind is told; the others are written anew without a word where they are needed.
WARNINGS = {
    "block": "a block of features", "sealed": "the features file", "result": "scores and timings that were kept",
}
# Of the worker's order nothing is read where no worker is needed.
UNUSED = "order"


def prepare(folder):
    pictures(folder / "pictures", 60)
    networks(folder / "networks", 1)
    texts(folder / "texts.csv", 300)
    vectors(folder / "vectors", 5)


def kind(path):
    """What a file of the cache is."""
    of_suffix = {".blk": "block", ".safetensors": "sealed"}
    of_folder = {"results": "result", "texts": "texts"}
    return of_suffix.get(path.suffix) or of_folder.get(path.parent.name) or path.stem


def job(path):
    """The folder of the job that a file belongs to."""
    return path.parent.parent if kind(path) in ("block", "result") else path.parent


def rows_of(path):
    """The rows that a file of features holds."""
    content = path.read_bytes()
    if kind(path) == "block":
        return struct.unpack_from("<Q", content, 24)[0]
    if kind(path) == "sealed":
        header = json.loads(content[8:8 + struct.unpack_from("<Q", content)[0]])
        return header["features"]["shape"][0]
    return 0


def rows_by_job(scenario):
    """How many rows were computed for each job since it was begun, as far as the worker got to its end."""
    found = {}
    for path in scenario.cache.rglob("results/*.json"):
        value = json.loads(path.read_bytes().split(b"\n", 1)[1])
        if set(value) == {"seconds", "rows"}:
            found[job(path)] = value["rows"]
    return found


def flip(content, chance):
    place = chance.randrange(8 * len(content))
    changed = bytearray(content)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


def cut(content, chance):
    return content[:chance.randrange(len(content))]


class State:
    """A cache as some ranking left it, and what comes of it without any damage."""

    def __init__(self, suite, scenario, name):
        self.suite, self.scenario, self.name = suite, scenario, f"{name} {scenario.name}"
        self.start = scenario.folder / f"state {self.name}"
        shutil.copytree(scenario.cache, self.start)
        self.expected = ranking(scenario.run().stdout), scenario.features()
        self.rows = rows_by_job(scenario)

    def damage(self, spoil, chance):
        """Spoils one file, and looks at what is made of it."""
        self.scenario.fresh(self.start)
        of_kind = {}
        for path in self.scenario.files():
            of_kind.setdefault(kind(path), []).append(path)
        path = chance.choice(of_kind[chance.choice(sorted(of_kind))])
        self.suite.counts[f"{spoil.__name__}s: {kind(path)}, {self.name}"] += 1
        self.suite.progress(f"{spoil.__name__}s")
        problems = self.faults(path, spoil(path.read_bytes(), chance))
        self.suite.break_(f"{spoil.__name__}, {self.scenario.place(path)}, {self.name}", problems)

    def faults(self, path, spoiled):
        """What is wrong with what a ranking makes of a cache with this damaged file."""
        rows = rows_of(path)
        path.write_bytes(spoiled)
        if not self.named_alone(path):
            yield "cache verify does not name it, or names another"
        before = self.identities(path)
        run = self.scenario.run()
        yield from self.scenario.faults_of_result(run.returncode, run.stdout, run.stderr, self.expected)
        if WARNINGS.get(kind(path), "") not in run.stderr:
            yield f"no warning: {run.stderr}"
        if self.scenario.verify().returncode != 0 and not (kind(path) == UNUSED and self.named_alone(path)):
            yield "still damaged"
        anew = before.keys() - self.identities(path).keys() if run.returncode == 0 else []
        yield from (f"written anew: {self.scenario.place(other)}" for other, _ in anew if not sealed_since(other))
        yield from self.faults_of_rows(path, rows)

    def named_alone(self, path):
        """Whether `cache verify` names this file as damaged, and no other."""
        found = self.scenario.verify("--json")
        return found.returncode == 4 and [fault["path"] for fault in json.loads(found.stdout)["faults"]] == [str(path)]

    def identities(self, spoiled):
        """What changes when one of the other files of features is written."""
        return {(path, (path.stat().st_ino, path.stat().st_mtime_ns)): None for path in self.scenario.files()
                if kind(path) in ("block", "sealed") and path != spoiled}

    def faults_of_rows(self, path, rows):
        """Whether more rows were computed again than were damaged; a damaged result may be the count itself."""
        if kind(path) == "result":
            return
        for other, computed in rows_by_job(self.scenario).items():
            expected = self.rows.get(other, 0) + (rows if other == job(path) else 0)
            if computed != expected:
                yield f"{self.scenario.place(other)}: {computed} rows were computed, not {expected}"


def sealed_since(block):
    """Whether a block is gone because its job is finished."""
    return not block.exists() and (job(block) / "features.safetensors").exists()


def half_way(scenario):
    """Kills a ranking when its third job is begun and three blocks of one job are there."""
    killed = False
    while not killed:
        scenario.fresh()
        run = scenario.start()
        while run.wait(0.001) is None and not is_half_way(scenario):
            pass
        killed = run.process.returncode is None and run.kill() == -signal.SIGKILL


def is_half_way(scenario):
    jobs = list(scenario.cache.glob("v1/jobs/*"))
    blocks = [len(list(folder.glob("blocks/*.blk"))) for folder in jobs]
    return len(jobs) >= 3 and max(blocks) >= 3


def states(suite, of):
    """Each ranking finished, and half-way."""
    for scenario in of:
        scenario.undisturbed()
        yield State(suite, scenario, "finished")
        half_way(scenario)
        yield State(suite, scenario, "half finished")


def damages(found, flips, cuts, seed):
    """Damages the caches in turn."""
    chance = random.Random(seed)
    for number in range(flips + cuts):
        found[number % len(found)].damage(flip if number < flips else cut, chance)


def main():
    options = arguments(__doc__)
    options.add_argument("--flips", type=int, default=1000)
    options.add_argument("--cuts", type=int, default=200)
    chosen = options.parse_args()
    with Suite([chosen.program]) as suite:
        prepare(suite.folder)
        of = [suite.scenario("pictures", "pictures", "networks"),
              suite.scenario("race of texts", "texts.csv", "vectors", "--no-baselines")]
        damages(list(states(suite, of)), chosen.flips, chosen.cuts, chosen.seed)
        suite.end()


if __name__ == "__main__":
    main()
