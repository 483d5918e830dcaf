"""One bad picture among 10,000, and three bad models among 23: what they do to the rest.

A picture that can't be read is named and the ranking ends with code 4, or 0 with --skip-bad. The features of all other
pictures are, bit for bit, those of a ranking of a folder without it. The scores are equal but for rounding: a picture
less moves others to another place in the one order of the samples, and sums are taken in that order. How it is damaged
makes no difference at all.

A model that crashes, one that hangs and one that eats memory are named. The scores of all good models and their order
are, bit for bit, those of a ranking without them.
"""

import json
import struct

from common import MODELS, Suite, arguments, network, pictures, ranking
from traps import looping, memory_eater, stack_overflow

BAD = "blue/77.png"
# Sums of 10,000 rows in another order.
ROUNDING = 1e-9
# Turns that do not end in anybody's lifetime, and rows of 1.2 GB in all.
ENDLESS, LARGE = 1 << 62, 100_000_000
REASONS = {"a crash": "crashed", "a hang": "took longer than", "an eater": "used more than"}


def rows_by_picture(scenario):
    """The bytes of each picture's features, by model and by picture."""
    found = {}
    for sealed in scenario.cache.rglob("features.safetensors"):
        work = json.loads((sealed.parent / "order.json").read_text().splitlines()[1])["assignment"]["Features"]
        content = sealed.read_bytes()
        start = 8 + struct.unpack_from("<Q", content)[0]
        files = [picture["file"] for picture in work["samples"]["Pictures"]["pictures"]]
        width = (len(content) - start) // len(files)
        model = json.loads((sealed.parent / "about.json").read_text().splitlines()[1])["model"]
        found[model] = {file: content[start + row * width:start + (row + 1) * width] for row, file in enumerate(files)}
    return found


def values(printed):
    """The value of each score, by model and metric."""
    return {(model["name"], score["metric"]): score["value"] for model in json.loads(printed)["models"]
            for score in model["scores"]}


def spoil_cut(path):
    path.write_bytes(path.read_bytes()[:60])


def spoil_flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(content)


def spoil_empty(path):
    path.write_bytes(b"")


class Pictures:
    """A folder of pictures of which one is bad."""

    def __init__(self, suite, count):
        self.suite, self.path = suite, suite.folder / "pictures" / BAD
        pictures(suite.folder / "pictures", count // 2)
        network(suite.folder / "networks/one", (MODELS / "classifier.onnx").read_bytes())
        network(suite.folder / "networks/two", (MODELS / "other.onnx").read_bytes())
        self.scenario = suite.scenario("pictures", "pictures", "networks", "--no-baselines")
        self.sound = self.path.read_bytes()
        suite.counts["pictures"] = count

    def without(self):
        """Values and features without the picture."""
        self.path.unlink()
        self.scenario.fresh()
        run = self.scenario.run()
        if run.returncode != 0:
            self.suite.break_("without the bad picture", [f"code {run.returncode}: {run.stderr[-300:]}"])
        return values(run.stdout), rows_by_picture(self.scenario)

    def spoiled(self, spoil, more=()):
        """A run with the picture damaged in some way."""
        self.path.write_bytes(self.sound)
        spoil(self.path)
        self.scenario.fresh()
        return self.scenario.run(more=more)

    def all(self):
        expected, without = self.without(), {}
        for spoil in (spoil_cut, spoil_flip, spoil_empty):
            run = self.spoiled(spoil)
            self.suite.break_(f"a bad picture, {spoil.__name__}", self.faults(run, *expected))
            without[spoil.__name__] = {name: value for name, value in json.loads(run.stdout).items()
                                       if name not in ("data", "skipped", "timing")}
            self.suite.counts["rankings with a bad picture"] += 1
        if len({ranking(json.dumps(value)) for value in without.values()}) != 1:
            self.suite.break_("a bad picture", ["how it is damaged makes a difference"])
        run = self.spoiled(spoil_cut, ["--skip-bad"])
        if run.returncode != 0:
            self.suite.break_("a bad picture, --skip-bad", [f"code {run.returncode}"])

    def faults(self, run, scores, rows):
        """What is wrong with a ranking in spite of a bad picture."""
        if run.returncode != 4:
            yield f"code {run.returncode}, not 4: {run.stderr[-300:]}"
            return
        skipped = [entry["path"] for entry in json.loads(run.stdout)["skipped"]]
        if skipped != [BAD]:
            yield f"not named: {skipped}"
        found = rows_by_picture(self.scenario)
        for model, expected in rows.items():
            rest = {file: row for file, row in found[model].items() if file != BAD}
            self.suite.counts["rows of features compared"] += len(rest)
            if rest != expected:
                yield f"{model}: other features"
        for key, value in values(run.stdout).items():
            difference = 0 if value == scores[key] else abs(value - scores[key]) / abs(scores[key])
            self.suite.largest("relative difference of scores without the bad picture, most", difference)
            if difference > ROUNDING:
                yield f"{key}: {value}, without the picture {scores[key]}"


def good(printed):
    """What a ranking says of the good models."""
    kept = ("name", "status", "score", "interval", "scores", "dim", "n_seen", "features_from", "multiply_adds")
    models = [model for model in json.loads(printed)["models"] if model["name"] not in REASONS]
    return [{name: ranking(json.dumps(model[name])) for name in kept} for model in models]


def bad_models(suite, count):
    """Ranks so many good models, then three bad ones with them."""
    pictures(suite.folder / "few pictures", 30)
    for number in range(count):
        name = ["classifier", "other"][number % 2]
        network(suite.folder / f"many/model {number}", (MODELS / f"{name}.onnx").read_bytes(), 0.3 + number / 100)
    limits = ["--timeout", "5", "--memory", "400MB"]
    scenario = suite.scenario("models", "few pictures", "many", *limits)
    scenario.fresh()
    alone = scenario.run()
    network(suite.folder / "many/a crash", stack_overflow())
    network(suite.folder / "many/a hang", looping(ENDLESS))
    network(suite.folder / "many/an eater", memory_eater(LARGE))
    scenario.fresh()
    together = scenario.run()
    suite.counts["good models"], suite.counts["bad models"] = count, len(REASONS)
    suite.break_("bad models", faults_of_models(alone, together))


def faults_of_models(alone, together):
    if (alone.returncode, together.returncode) != (0, 4):
        yield f"codes {alone.returncode} and {together.returncode}: {together.stderr[-300:]}"
        return
    errors = {model["name"]: model["error"] for model in json.loads(together.stdout)["models"] if model["error"]}
    if errors.keys() != REASONS.keys() or not all(words in errors[name] for name, words in REASONS.items()):
        yield f"failed: {errors}"
    if good(alone.stdout) != good(together.stdout):
        yield "other scores of good models"


def main():
    options = arguments(__doc__)
    options.add_argument("--pictures", type=int, default=10_000)
    options.add_argument("--models", type=int, default=20)
    chosen = options.parse_args()
    with Suite([chosen.program]) as suite:
        Pictures(suite, chosen.pictures).all()
        bad_models(suite, chosen.models)
        suite.end()


if __name__ == "__main__":
    main()
