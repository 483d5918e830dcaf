"""Our side of benches/fine_tuning_torch.py: the same recipe by `zoologist tune`, accuracy and CPU seconds per seed.

    python benches/fine_tuning.py path/to/all-MiniLM-L6-v2 path/to/sst2 --train 1000

As many more samples as a quarter of N validate; the CPU seconds are those of the whole command: reading, tokenizing,
training, twenty or fewer looks at the validation samples, and testing.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ZOOLOGIST = Path(__file__).parent.parent / "target/release/zoologist"


def run(arguments: argparse.Namespace, seed: int) -> tuple[float, float, float]:
    """Accuracy, CPU seconds and wall-clock seconds of one training, with nothing in the cache."""
    command = [
        str(ZOOLOGIST), "tune", arguments.model, arguments.data, "--how", "full", "--measure", "--json", "--quiet",
        "--seed", str(seed), "--samples", str(arguments.train * 5 // 4), "--epochs", str(arguments.epochs),
        "--batch", "16", "--learning-rate", str(arguments.learning_rate), "--length", str(arguments.length),
        "--head-factor", "1",
        "--patience", "1000", "--threads", str(arguments.threads),
    ]
    with tempfile.TemporaryDirectory() as cache:
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = subprocess.run(command, stdout=subprocess.PIPE, env=os.environ | {"ZOOLOGIST_CACHE": cache}, check=False)
        after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - begun
    if done.returncode != 0:
        sys.exit(f"fine_tuning.py: {' '.join(command)} ended with {done.returncode}")
    seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return json.loads(done.stdout)["judgement"]["value"], seconds, wall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--train", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--length", type=int, default=48)
    parser.add_argument("--learning-rate", type=float, default=5e-5)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    print(f"{Path(arguments.model).name}, {Path(arguments.data).name}: {arguments.train} rows, {arguments.epochs} epochs")
    print(" seed  accuracy    CPU s   wall s", flush=True)
    rows = []
    for seed in map(int, arguments.seeds.split(",")):
        rows.append(run(arguments, seed))
        print(f"{seed:5}  {rows[-1][0]:8.4f} {rows[-1][1]:8.1f} {rows[-1][2]:8.1f}", flush=True)
    if len(rows) > 1:
        columns = list(zip(*rows))
        print(" mean  {:8.4f} {:8.1f} {:8.1f}".format(*map(statistics.mean, columns)))
        print("   sd  {:8.4f} {:8.1f} {:8.1f}".format(*map(statistics.stdev, columns)))


if __name__ == "__main__":
    main()
