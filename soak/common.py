"""What the fault suites share: small data sets and zoos, a ranking with a cache of its own, and what is looked at.

A suite takes a ranking that was never disturbed, disturbs another one, and compares: the JSON (but for `timing`), the
digests of all features, and what `zoologist cache verify` says. Each can be told to try another program, which is how
`self_test.py` finds out whether it would notice anything.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
PROGRAM = REPOSITORY / "target/release/zoologist"
MODELS = REPOSITORY / "crates/zoologist-cli/tests/data/models"
COLOURS = {"blue": (40, 60, 180), "red": (180, 50, 40)}
WORDS = {"sport": ["ball", "goal", "team", "match"], "food": ["bread", "soup", "salt", "oven"]}
# Long enough for the slowest run on a machine with ten times as much to do as it can: what takes longer hangs.
PATIENCE = 900


def png(path, colour, number):
    """A picture of 8 x 8 noisy pixels."""
    noise = hashlib.blake2b(f"{path.parent.name} {number}".encode(), digest_size=64).digest() * 3
    pixels = bytes(min(255, colour[i % 3] + noise[i] // 4) for i in range(192))
    rows = b"".join(b"\0" + pixels[start:start + 24] for start in range(0, 192, 24))

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


def pictures(folder, count):
    """So many pictures of each class."""
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            png(folder / name / f"{number}.png", colour, number)


def network(folder, content, mean=0.5):
    """A model folder with this ONNX file; another mean makes the same network another model."""
    (folder / "onnx").mkdir(parents=True)
    (folder / "onnx/model.onnx").write_bytes(content)
    preprocessing = {
        "do_resize": True, "size": {"height": 32, "width": 32}, "resample": 2, "do_center_crop": False,
        "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [mean] * 3,
        "image_std": [0.5] * 3, "channel_order": "RGB", "layout": "NCHW",
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessing))


def networks(folder, count):
    """So many models of two networks."""
    for number in range(count):
        name = ["classifier", "other"][number % 2]
        network(folder / f"{name} {number}", (MODELS / f"{name}.onnx").read_bytes(), 0.5 + number / 50)


def vectors(folder, count):
    """So many files of word vectors."""
    folder.mkdir()
    for number in range(count):
        lines = [f"{word} {sign + number / 10} {0.1 * place} {0.05 * (place * place % (5 + number))}"
                 for words, sign in zip(WORDS.values(), (1, -1)) for place, word in enumerate(words)]
        (folder / f"glove.topics{number}.txt").write_text("\n".join(lines) + "\n")


def texts(path, count):
    """A table of so many texts of each label."""
    rows = [f"the {words[number % 4]} and a {words[(number * number + 1) % 4]} {number},{label}"
            for number in range(count) for label, words in WORDS.items()]
    path.write_text("text,label\n" + "\n".join(rows) + "\n")


class Scenario:
    """A ranking that is run again and again in one cache."""

    def __init__(self, name, folder, program, data, zoo, more=()):
        self.name, self.folder, self.program = name, folder, program
        self.command = [*program, "rank", data, "--zoo", zoo, "--runtime", "rten", "--json", *more]
        self.cache, self.log = folder / f"cache {name}", folder / f"strace {name}.log"
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "ZOOLOGIST_CACHE": str(self.cache)}

    def fresh(self, start=None):
        """An empty cache, or a copy of another."""
        shutil.rmtree(self.cache, ignore_errors=True)
        if start:
            shutil.copytree(start, self.cache)

    def run(self, tracer=(), more=()):
        return subprocess.run([*tracer, *self.command, *more], cwd=self.folder, env=self.environment, text=True,
                              capture_output=True, timeout=PATIENCE)

    def start(self, tracer=(), name="run", more=()):
        """Starts a run in a process group of its own; what it prints goes into files."""
        return Started(self, [*tracer, *self.command, *more], self.folder / f"{self.name} {name}")

    def verify(self, *more):
        command = [*self.program, "cache", "verify", *more]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=PATIENCE)

    def files(self):
        """All files of the cache that hold something, but for unfinished ones."""
        return [path for path in sorted(self.cache.rglob("*"))
                if path.is_file() and not path.name.startswith(".") and path.stat().st_size > 0]

    def features(self):
        """The digests of all features and texts. Blocks beside sealed features do not count: nobody reads them, and
        `zoologist cache gc` removes them.
        """
        files = [path for path in self.files()
                 if path.suffix in (".safetensors", ".blk") or path.parent.name == "texts"]
        sealed = {path.parent for path in files if path.suffix == ".safetensors"}
        return {self.place(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
                if path.parent.parent not in sealed}

    def place(self, path):
        return str(path.relative_to(self.cache))

    def undisturbed(self):
        """The ranking and the features of a run from an empty cache."""
        self.fresh()
        run = self.run()
        if run.returncode != 0:
            sys.exit(f"{self.name}: code {run.returncode}: {run.stderr}")
        return ranking(run.stdout), self.features()

    def faults_of(self, code, out, err, expected, others=False):
        """What is wrong with a run that should have been as good as undisturbed, and with the cache after it.

        With `others` there may be features of other candidates too.
        """
        yield from self.faults_of_result(code, out, err, expected, others)
        verified = self.verify()
        if verified.returncode != 0:
            yield f"cache verify: {verified.stdout.strip()}"

    def faults_of_result(self, code, out, err, expected, others=False):
        if code != 0:
            yield f"code {code}: {err.strip()[-300:]}"
            return
        if ranking(out) != expected[0]:
            yield "another ranking"
        found, wanted = self.features(), expected[1]
        different = {place for place in found.keys() | wanted.keys() if found.get(place) != wanted.get(place)}
        different = {place for place in different if place in wanted or not others}
        if different:
            yield f"{sorted(different)[:3]}: other features"


class Started:
    """A process that runs."""

    def __init__(self, scenario, command, files):
        self.out, self.err = Path(f"{files}.out"), Path(f"{files}.err")
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(command, cwd=scenario.folder, env=scenario.environment, stdout=out,
                                            stderr=err, stdin=subprocess.DEVNULL, start_new_session=True)

    def kill(self):
        """Ends the whole process group at once, and gives the code of the first process."""
        os.killpg(self.process.pid, signal.SIGKILL)
        while live(self.process.pid):
            time.sleep(0.001)
        return self.process.wait()

    def wait(self, seconds):
        """The exit code, or `None` if it runs for longer than that."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def printed(self):
        """What went to standard output and to standard error."""
        return self.out.read_text(), self.err.read_text()

    def worker(self):
        """The worker that runs now, if there is one."""
        return next((pid for pid in live(self.process.pid)
                     if read(f"/proc/{pid}/cmdline").split(b"\0")[1:2] == [b"worker"]), None)


def read(path):
    """The content of a file of /proc, which may be gone."""
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def live(group):
    """The processes of a group that run, and are not only waiting to be buried."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        state, _, its_group = (read(folder / "stat").rpartition(b") ")[2].split() + [b""] * 3)[:3]
        if its_group == str(group).encode() and state not in (b"Z", b"X"):
            found.append(int(folder.name))
    return found


def ranking(text):
    """What a run printed, without all `timing`, and with every number as it was printed; `None` if that is no JSON."""
    try:
        return json.dumps(without_timing(json.loads(text, parse_float=str)))
    except ValueError:
        return None


def without_timing(value):
    if isinstance(value, dict):
        return {key: without_timing(inner) for key, inner in value.items() if key != "timing"}
    return [without_timing(inner) for inner in value] if isinstance(value, list) else value


def tracer(log, *options):
    """strace with these options; it stops a process at the calls it looks at only."""
    return ["strace", "-f", "-y", "-qq", "--seccomp-bpf", "-e", "signal=none", *options, "-o", str(log)]


def calls_of(log):
    """Thread, name and text of each traced call; parted lines are joined."""
    parted = {}
    for line in log.read_text(errors="replace").splitlines():
        thread, _, rest = line.partition(" ")
        rest = rest.strip()
        if rest.endswith("<unfinished ...>"):
            parted[thread] = rest
            continue
        resumed = re.match(r"(?:[\d.]+ )?<\.\.\. ", rest)
        if resumed:
            rest = parted.pop(thread, "") + rest[resumed.end():]
        match = re.match(r"(?:[\d.]+ )?(\w+)\(", rest)
        if match:
            yield thread, match[1], rest


def arguments(description):
    """The arguments that all suites take."""
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--program", default=str(PROGRAM))
    options.add_argument("--seed", type=int, default=0, help="fixes times, places and files")
    return options


class Suite:
    """Counts what a suite does and collects the promises that were broken."""

    def __init__(self, program, quiet=False):
        self.program, self.quiet = program, quiet
        self.folder = Path(tempfile.mkdtemp(prefix="zoologist-soak-")).resolve()
        self.counts, self.figures, self.broken, self.begun = Counter(), {}, [], time.monotonic()

    def scenario(self, name, data, zoo, *more):
        return Scenario(name, self.folder, self.program, data, zoo, more)

    def largest(self, what, value):
        """Keeps the largest of some figures."""
        self.figures[what] = max(value, self.figures.get(what, value))

    def progress(self, what):
        """Counts one more, and says so now and then."""
        self.counts[what] += 1
        if self.counts[what] % 50 == 0:
            print(f"{self.counts[what]} {what}, {len(self.broken)} broken promises", file=sys.stderr, flush=True)

    def break_(self, what, problems):
        for problem in problems:
            self.broken.append(problem)
            if not self.quiet:
                print(f"{what}: {problem}", flush=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)

    def end(self):
        """Says what was done, and exits."""
        for name, count in sorted(self.counts.items()):
            print(f"{count}\t{name}")
        for name, value in sorted(self.figures.items()):
            print(f"{value:.3g}\t{name}")
        print(f"{len(self.broken)} broken promises, {time.monotonic() - self.begun:.0f} s", flush=True)
        sys.exit(1 if self.broken else 0)
