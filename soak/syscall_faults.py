"""Makes the n-th system call on the cache fail, for every n, and looks at what a ranking does about it.

For each of openat, write, fsync, fdatasync, rename, renameat, mkdir and flock, with ENOSPC, EIO and EROFS in turn (or,
with --every, each of them at each place): a small ranking of pictures, one of texts, and one whose features are kept
already, under `strace --inject`. Where a call on the cache
failed, the ranking must end with code 6, nothing on standard output, and a message of at most five lines that names a
path in the cache; run again without faults it must give the JSON (but for `timing`) and the features of a run that was
never disturbed, and `zoologist cache verify` must find nothing. Calls on other files may fail as they like.

Needs strace and nothing else. Ends with 1 if a promise was broken.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from pathlib import Path

CALLS = ["openat", "write", "fsync", "fdatasync", "rename", "renameat", "mkdir", "flock"]
ERRORS = ["ENOSPC", "EIO", "EROFS"]
REPOSITORY = Path(__file__).resolve().parent.parent
MODELS = REPOSITORY / "crates/zoologist-cli/tests/data/models"
PREPROCESSING = {
    "do_resize": True, "size": {"height": 32, "width": 32}, "resample": 2, "do_center_crop": False, "do_rescale": True,
    "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
    "channel_order": "RGB", "layout": "NCHW",
}
WORDS = {"sport": ["ball", "goal", "team", "match"], "food": ["bread", "soup", "salt", "oven"]}


def png(path, colour, number):
    """A picture of 8 x 8 noisy pixels."""
    noise = hashlib.blake2b(f"{path.parent.name} {number}".encode(), digest_size=64).digest() * 3
    pixels = bytes(min(255, colour[i % 3] + noise[i] // 4) for i in range(192))
    rows = b"".join(b"\0" + pixels[start:start + 24] for start in range(0, 192, 24))

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def prepare(folder):
    """Two data sets and two zoos."""
    for name, colour in {"blue": (40, 60, 180), "red": (180, 50, 40)}.items():
        (folder / "pictures" / name).mkdir(parents=True)
        for number in range(8):
            png(folder / "pictures" / name / f"{number}.png", colour, number)
    model = folder / "networks/classifier"
    (model / "onnx").mkdir(parents=True)
    shutil.copy(MODELS / "classifier.onnx", model / "onnx/model.onnx")
    (model / "preprocessor_config.json").write_text(json.dumps(PREPROCESSING))
    (folder / "vectors").mkdir()
    lines = [f"{word} {sign} {0.1 * place} {0.05 * (place * place % 5)}" for (words, sign) in zip(WORDS.values(), (1, -1))
             for place, word in enumerate(words)]
    (folder / "vectors/glove.topics.txt").write_text("\n".join(lines) + "\n")
    rows = [f"the {words[number % 4]} and a {words[(number * number + 1) % 4]},{label}" for number in range(12)
            for label, words in WORDS.items()]
    (folder / "texts.csv").write_text("text,label\n" + "\n".join(rows) + "\n")


class Scenario:
    def __init__(self, name, folder, program, data, zoo, warm):
        self.name, self.folder, self.warm = name, folder, warm
        self.command = [program, "rank", data, "--zoo", zoo, "--runtime", "rten", "--json", "--threads", "1"]
        self.cache, self.kept, self.log = folder / "cache", folder / f"kept {name}", folder / "strace.log"

    def fresh(self):
        """The cache as the scenario begins."""
        shutil.rmtree(self.cache, ignore_errors=True)
        if self.warm and self.kept.exists():
            shutil.copytree(self.kept, self.cache)

    def run(self, tracer=()):
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "ZOOLOGIST_CACHE": str(self.cache)}
        return subprocess.run([*tracer, *self.command], cwd=self.folder, env=environment, capture_output=True, text=True,
                              timeout=120)

    def verify(self):
        environment = {"PATH": os.environ["PATH"], "ZOOLOGIST_CACHE": str(self.cache)}
        command = [self.command[0], "cache", "verify"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)

    def features(self):
        """The digests of all features, and what else lies in the cache but for what changes from run to run."""
        found = {}
        for path in sorted(self.cache.rglob("*")):
            if path.name == "features.safetensors" or path.parent.name == "texts":
                found[str(path.relative_to(self.cache))] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    def calls(self):
        """How many calls on the cache the busiest thread makes, per kind and place in the thread's order."""
        self.fresh()
        names = ",".join(CALLS)
        run = self.run(["strace", "-f", "-y", "-qq", "-e", f"trace={names}", "-e", "signal=none", "-o", str(self.log)])
        if run.returncode != 0:
            sys.exit(f"{self.name}: under strace: code {run.returncode}: {run.stderr}")
        places, counts = {name: set() for name in CALLS}, Counter()
        for thread, name, line, _ in calls_of(self.log):
            counts[thread, name] += 1
            if str(self.cache) in line:
                places[name].add(counts[thread, name])
        return places


def calls_of(log):
    """Thread, name and text of each call; parted lines are joined."""
    parted = {}
    for line in log.read_text(errors="replace").splitlines():
        thread, _, rest = line.partition(" ")
        rest = rest.strip()
        if rest.endswith("<unfinished ...>"):
            parted[thread] = rest
            continue
        if rest.startswith("<... "):
            rest = parted.pop(thread, "") + rest
        match = re.match(r"(\w+)\(", rest)
        if match and match[1] in CALLS:
            yield thread, match[1], rest, "(INJECTED)" in rest


def without_timing(value):
    if isinstance(value, dict):
        return {key: without_timing(inner) for key, inner in value.items() if key != "timing"}
    return [without_timing(inner) for inner in value] if isinstance(value, list) else value


def faults_of(scenario, run, unheard, expected):
    """What is wrong with a run that a call on the cache failed; `unheard` if writing the message failed too."""
    message = run.stderr[run.stderr.find("zoologist: "):].strip()
    if run.returncode != 6:
        yield f"code {run.returncode}, not 6: {run.stderr.strip()[-300:]}"
    if run.stdout:
        yield "something on standard output"
    # strace lets the n-th call of each thread fail: the message itself may be lost.
    if str(scenario.cache) not in message and not unheard:
        yield f"no path of the cache in: {message}"
    if len(message.splitlines()) > 5 or "panicked" in run.stderr:
        yield f"no proper message: {run.stderr.strip()}"
    yield from faults_after(scenario, expected)


def faults_after(scenario, expected):
    """What is wrong with the run after it."""
    again = scenario.run()
    if again.returncode != 0:
        yield f"run again: code {again.returncode}: {again.stderr.strip()[-300:]}"
        return
    if without_timing(json.loads(again.stdout)) != expected[0]:
        yield "run again: another ranking"
    if scenario.features() != expected[1]:
        yield "run again: other features"
    verified = scenario.verify()
    if verified.returncode != 0:
        yield f"run again: cache verify: {verified.stdout.strip()}"


def disturbed(scenario, name, place, error, expected):
    """Lets one call fail; `None` if it was none on the cache."""
    scenario.fresh()
    inject = f"inject={name}:error={error}:when={place}"
    run = scenario.run(["strace", "-f", "-y", "-qq", "-e", inject, "-e", "signal=none", "-o", str(scenario.log)])
    failed = [line for _, _, line, was in calls_of(scenario.log) if was]
    injected = [line for line in failed if str(scenario.cache) in line]
    if not injected:
        return None
    unheard = any(line.startswith("write(2<") for line in failed)
    problems = list(faults_of(scenario, run, unheard, expected))
    return [f"{scenario.name}: {name} {place} {error}: {problem}\n    {injected[0][:200]}" for problem in problems]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--program", default=str(REPOSITORY / "target/release/zoologist"))
    options.add_argument("--calls", default=",".join(CALLS), help="kinds of system calls")
    options.add_argument("--errors", default=",".join(ERRORS))
    options.add_argument("--every", action="store_true", help="every error at every place: three times as long")
    options.add_argument("--scenarios", default="pictures,texts,kept")
    chosen = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="zoologist-faults-")).resolve()
    prepare(folder)
    scenarios = [Scenario("pictures", folder, chosen.program, "pictures", "networks", False),
                 Scenario("texts", folder, chosen.program, "texts.csv", "vectors", False),
                 Scenario("kept", folder, chosen.program, "texts.csv", "vectors", True)]
    errors = chosen.errors.split(",")
    begun, broken, counts = time.monotonic(), [], Counter()
    for scenario in [scenario for scenario in scenarios if scenario.name in chosen.scenarios.split(",")]:
        scenario.fresh()
        run = scenario.run()
        if run.returncode != 0:
            sys.exit(f"{scenario.name}: code {run.returncode}: {run.stderr}")
        expected = without_timing(json.loads(run.stdout)), scenario.features()
        shutil.copytree(scenario.cache, scenario.kept)
        places = scenario.calls()
        for name in chosen.calls.split(","):
            for place in sorted(places[name]):
                for error in errors if chosen.every else [errors[place % len(errors)]]:
                    problems = disturbed(scenario, name, place, error, expected)
                    counts[scenario.name, name, "elsewhere" if problems is None else "in the cache"] += 1
                    broken += problems or []
                    [print(problem, flush=True) for problem in problems or []]
    for key, count in sorted(counts.items()):
        print(*key, count, sep="\t")
    disturbances = sum(count for (_, _, where), count in counts.items() if where == "in the cache")
    print(f"{disturbances} faults in the cache, {len(broken)} broken promises, {time.monotonic() - begun:.0f} s")
    shutil.rmtree(folder)
    sys.exit(1 if broken or not disturbances else 0)


if __name__ == "__main__":
    main()
