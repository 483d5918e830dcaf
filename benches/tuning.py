"""Ways of using a model against each other: the same samples and seeds, paired differences, intervals.

    python benches/tuning.py MODEL DATA[,DATA…] --ways probe,head2toe,lp-ft,full --samples 400 --seeds 0,1,2 [-- OPTIONS]

Each run is one `zoologist tune --measure`; what was trained is kept in the cache, so a run that was stopped goes on where it
was, and a second one only reads. Intervals are those of Student's t over the seeds; beside them stands the error that the
judged samples have by themselves. What follows `--` is handed to every run, for example `--size 128 --steps 300`; `--size` only to those that train.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from pathlib import Path

ZOOLOGIST = Path(__file__).parent.parent / "target/release/zoologist"

FROZEN = ("probe", "head", "head2toe")
"""Ways that leave the model as it is: they run its graph."""

QUANTILES = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
"""Student's t for 95%, by degrees of freedom."""


def run(model: str, data: str, way: str, seed: int, options: list[str]) -> dict:
    """One run's result."""
    if way in FROZEN and "--size" in options:
        # Most graphs are fixed to the size of their pictures.
        place = options.index("--size")
        options = options[:place] + options[place + 2:]
    command = [str(ZOOLOGIST), "tune", model, data, "--how", way, "--seed", str(seed), "--measure", "--json", *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode not in (0, 4):
        sys.exit(f"tuning.py: {' '.join(command)} ended with {done.returncode}")
    return json.loads(done.stdout)


def interval(values: list[float]) -> str:
    """The mean with the interval of Student's t."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return f"{mean:.3f}"
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    half = QUANTILES.get(len(values) - 1, 1.96) * deviation / math.sqrt(len(values))
    return f"{mean:.3f} ± {half:.3f}"


def table(model: str, data: str, ways: list[str], seeds: list[int], options: list[str]) -> None:
    """Prints the rows of one data set."""
    results = {way: [run(model, data, way, seed, options) for seed in seeds] for way in ways}
    values = {way: [result["judgement"]["value"] for result in found] for way, found in results.items()}
    first = ways[0]
    name, judged = Path(data).stem if Path(data).stem != "images" else Path(data).parent.name, results[first][0]["data"]
    for way in ways:
        mean = sum(values[way]) / len(seeds)
        error = math.sqrt(mean * (1 - mean) / judged["judged"]) if 0 <= mean <= 1 else float("nan")
        paired = "" if way == first else interval([a - b for a, b in zip(values[way], values[first])])
        steps = [(found["details"].get("training") or {}).get("steps") for found in results[way]]
        shown = "" if steps[0] is None else "/".join(str(count) for count in steps)
        print(f"| {name} | {Path(model).name} | {judged['learned']}+{judged['validation']} / {judged['judged']} | {way} "
              f"| {interval(values[way])} | {error:.3f} | {paired} | {shown} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("data", help="data sets, separated by commas")
    parser.add_argument("--ways", default="probe,head2toe,lp-ft,full")
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--seeds", default="0,1,2")
    own, given = sys.argv[1:], []
    if "--" in own:
        place = own.index("--")
        own, given = own[:place], own[place + 1:]
    arguments = parser.parse_args(own)
    ways, seeds = arguments.ways.split(","), [int(seed) for seed in arguments.seeds.split(",")]
    options = ["--samples", str(arguments.samples), *given]
    print(f"| data | model | learned+validation / judged | way | value [t interval, {len(seeds)} seeds] | error of the judged samples "
          f"| less {ways[0]}, paired | steps |\n|---|---|---|---|---|---|---|---|", flush=True)
    for data in arguments.data.split(","):
        table(arguments.model, data, ways, seeds, options)


if __name__ == "__main__":
    main()
