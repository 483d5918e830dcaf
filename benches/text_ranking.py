"""Ranking by text against the package transformer-ranker: same encoder, data and layers, in one run on one machine.

    make bench-text MODEL=path/to/all-MiniLM-L6-v2 DATA=texts.csv [THREADS=1] [ROUNDS=1]

MODEL is a Hugging Face folder with safetensors, DATA a CSV with columns text and label. For every way of taking layers
and every score, whole process against whole process: wall and CPU seconds and peak memory, as the kernel counts them
when it ends; of the peer also the seconds without start-up and imports. Ours starts with an empty cache, hashes its
inputs, and gives intervals, ridge and nearest neighbours too. Threads are equal. Runs alternate; medians of the rounds; ratios are peer by ours.

The peer splits a text into words first, averages the tokens of each word, then the words, and leaves out [CLS] and [SEP]:
ours does the same with --pooling words. What differs: it truncates where the tokenizer ends (512 tokens). Its LogME carries alpha and beta from class to class and stops at 1e-3. `lastlayer` of version 0.2.0
is the FIRST layer; beside it stands `lastlayer-mended`, which asks the same package for the last.
"""

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

from scores import ROOT, THREAD_VARIABLES, ZOOLOGIST, measured

AGGREGATIONS = {"lastlayer": None, "lastlayer-mended": "last", "layermean": "mean", "bestlayer": "best"}
"""The peer's ways of taking layers, and what ours are called; None where there is none."""

METRICS = {"logme": "logme", "hscore": "hscore_regularized", "knn": "knn"}
"""The peer's names of the scores and ours."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--text", default="text", help="the column of the texts")
    parser.add_argument("--label", default="label", help="the column of the labels")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--metrics", nargs="*", default=list(METRICS), choices=METRICS)
    parser.add_argument("--peer-only", action="store_true", help="measure the peer alone")
    arguments = parser.parse_args()
    print(f"{arguments.model.name}, {arguments.data}, {arguments.threads} thread(s), {arguments.rounds} round(s)")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.2f} before the run")
    print(f"{'':28}{'wall s':>9}{'CPU s':>9}{'MiB':>8}   value")
    for aggregation, layers in AGGREGATIONS.items():
        for metric in arguments.metrics:
            compare(arguments, aggregation, layers, metric)


def compare(arguments, aggregation, layers, metric):
    """All rounds of one way of taking layers and one score."""
    sides = {"peer": lambda: peer(arguments, aggregation, metric)}
    if layers and not arguments.peer_only:
        sides["ours"] = lambda: ours(arguments, layers, metric)
    runs = {side: [] for side in sides}
    for _ in range(arguments.rounds):
        for side, run in sides.items():
            found = run()
            if not isinstance(found, dict):
                print(f"{side} {aggregation} {metric}: not measured: {found[0]}")
                return
            runs[side].append(found)
    report(f"{aggregation} {metric}", runs)


def report(what, runs):
    middle = {side: {key: median(found, key) for key in ("wall", "cpu", "memory")} for side, found in runs.items()}
    for side, found in runs.items():
        out, numbers = found[-1]["out"], middle[side]
        line = f"{side} {what:23}{numbers['wall']:9.2f}{numbers['cpu']:9.2f}{numbers['memory']:8.0f}"
        print(f"{line}   {value(out)}{apart(found)}")
    if "ours" in runs:
        ratios = ", ".join(f"{key} {middle['peer'][key] / middle['ours'][key]:.2f}" for key in middle["peer"])
        alone = seconds(runs["peer"])["ranking"] / middle["ours"]["wall"]
        print(f"     peer by ours: {ratios}, its ranking alone by our whole {alone:.2f}")


def median(found, key):
    return statistics.median(one[key] for one in found)


def seconds(found):
    """The parts of the peer's wall time; `ranking` is without start-up, imports and the reading of the data."""
    parts = found[-1]["out"]["seconds"]
    return {part: statistics.median(one["out"]["seconds"][part] for one in found) for part in parts}


def apart(found):
    """What of the peer's time is what."""
    if "seconds" not in found[-1]["out"]:
        return ""
    return "".join(f", {part} {spent:.2f} s" for part, spent in seconds(found).items()) + f", n {found[-1]['out']['n']}"


def value(out):
    """The peer's value, or that of our one model that is no baseline."""
    if "models" not in out:
        return f"{out['value']:.6f}"
    (model,) = (model for model in out["models"] if not model["baseline"])
    layer = f", layer {model['layer']}" if model.get("layer") is not None else ""
    return f"{model['score']:.6f}{layer}" if model["score"] is not None else model["status"]


def peer(arguments, aggregation, metric):
    command = [sys.executable, ROOT / "benches/text_ranking_peer.py", arguments.model, arguments.data]
    command += [arguments.text, arguments.label, aggregation, metric, arguments.threads]
    environment = threads(arguments)
    # It would limit the peer's BLAS to a kernel of one's choice.
    environment.pop("OPENBLAS_CORETYPE", None)
    return measured(command, environment)


def ours(arguments, layers, metric):
    command = [ZOOLOGIST, "rank", arguments.data, "--zoo", arguments.model, "--text", arguments.text]
    command += ["--label", arguments.label, "--layers", layers, "--metric", METRICS[metric]]
    command += ["--pooling", "words", "--no-baselines"]
    command += ["--knn-ties", "smallest-label", "--threads", arguments.threads, "--json", "--quiet"]
    with tempfile.TemporaryDirectory() as cache:
        return measured(command, threads(arguments) | {"ZOOLOGIST_CACHE": cache})


def threads(arguments):
    names = [*THREAD_VARIABLES, "RAYON_NUM_THREADS"]
    return os.environ | dict.fromkeys(names, str(arguments.threads))


if __name__ == "__main__":
    main()
