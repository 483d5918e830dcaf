"""How often a score's 95% interval holds what it should: the expected score at that number of rows.

    python benches/interval_coverage.py [--zoologist target/release/zoologist] [--repeats 1] [--own-folds]

Every case draws R data sets of N rows, D dimensions and K classes from one population, and scores each with
`zoologist score --metrics logme,hscore_regularized,ridge --interval --json --seed REPEAT`. The mean score over the R
data sets stands for the expected one. "drawn" classes are drawn at random for every row, as in a sample of a
population; "fixed" ones have equal counts in every data set. Per score: the standard deviation of the value over the
data sets, the mean standard error (half-width of the interval / Student's t), and the share of intervals that hold the
mean.

--own-folds adds what needs folds made here, with the program run on the rows outside each fold, minutes in all: LogME's
paired difference between the features and a copy with more noise (stratified folds), and LogME of numbers over random
folds, where the program's own are stratified by the target.
"""

import argparse
import datetime
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from scipy.stats import t as student

ROOT = Path(__file__).resolve().parent.parent
METRICS = ["logme", "hscore_regularized", "ridge"]
# Name, rows, dimensions, classes (0: one target of numbers), data sets.
CASES = [
    ("drawn", 600, 16, 4, 200),
    ("fixed", 600, 16, 4, 200),
    ("drawn", 300, 64, 10, 120),
    ("fixed", 300, 64, 10, 120),
    ("numbers", 400, 32, 0, 200),
]
FOLDS = 20


def population(dim, classes):
    """What all data sets of a case share: class means or weights, and how the noise is spread over the dimensions."""
    random = np.random.default_rng([dim, classes])
    means = random.normal(size=(max(classes, 1), dim)) * 1.2 / np.sqrt(dim) * (1 + (classes > 4))
    return means, np.linspace(1.5, 0.5, dim)


def draw(random, name, rows, dim, classes):
    """One data set: features, and labels or numbers."""
    means, spreads = population(dim, classes)
    noise = random.normal(size=(rows, dim)) * spreads
    if name == "numbers":
        return noise, noise @ means[0] + random.normal(size=rows)
    labels = random.integers(classes, size=rows) if name == "drawn" else random.permutation(np.arange(rows) % classes)
    return noise + means[labels], labels


def score(program, folder, features, labels, metrics, *options):
    """Value and interval by name of the scores that have a value."""
    paths = folder / "features.npy", folder / "labels.npy"
    np.save(paths[0], features)
    np.save(paths[1], labels)
    command = [program, "score", *paths, "--metrics", ",".join(metrics), "--json", "--quiet", *options]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["scores"]
    return {one["metric"]: (one["value"], one["interval"]) for one in found}


def paired(program, folder, random, features, labels):
    """LogME's difference to a noisier copy of the features, and its standard error over stratified folds."""
    other = features + 0.3 * random.normal(size=features.shape)
    order = random.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]

    def difference(kept):
        pair = [score(program, folder, table[kept], labels[kept], ["logme"])["logme"][0] for table in (features, other)]
        return pair[0] - pair[1]

    return over_folds(difference, order)


def unstratified(program, folder, random, features, numbers):
    """LogME of numbers, and its standard error over random folds."""
    of = lambda kept: score(program, folder, features[kept], numbers[kept], ["logme"])["logme"][0]  # noqa: E731
    return over_folds(of, random.permutation(len(numbers)))


def over_folds(value, order):
    """A value of all rows, and its standard error when the rows are dealt to the folds in that order."""
    fold = np.empty(len(order), int)
    fold[order] = np.arange(len(order)) % FOLDS
    without = np.array([value(fold != j) for j in range(FOLDS)])
    error = np.sqrt((FOLDS - 1) / FOLDS * ((without - without.mean()) ** 2).sum())
    return value(np.full(len(order), True)), error


def row(case, metric, values, errors):
    """A line of the table."""
    name, rows, dim, classes, _ = case
    values, errors = np.array(values), np.array(errors)
    reach = student.ppf(0.975, FOLDS - 1)
    held = np.abs(values - values.mean()) <= reach * errors
    share = held.mean()
    doubt = np.sqrt(share * (1 - share) / len(values))
    print(f"| {rows}, {dim}, {classes or '-'}, {FOLDS}, {len(values)} | {name} | {metric} | {values.mean():.4f} | "
          f"{values.std(ddof=1):.5f} / {errors.mean():.5f} | {share:.3f} ± {doubt:.3f} |", flush=True)


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zoologist", type=Path, default=ROOT / "target/release/zoologist")
    parser.add_argument("--repeats", type=float, default=1, help="times as many data sets")
    parser.add_argument("--own-folds", action="store_true")
    options = parser.parse_args()
    reach = student.ppf(0.975, FOLDS - 1)
    print(f"{datetime.date.today()}, {FOLDS} shards, t = {reach:.3f}")
    print("| N, D, K, shards, data sets | classes | score | mean | sd of score / mean SE | coverage |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for number, case in enumerate(CASES):
            found, own = {}, []
            for repeat in range(round(case[4] * options.repeats)):
                random = np.random.default_rng([number, repeat])
                features, labels = draw(random, *case[:4])
                asked = "--interval", "--seed", str(repeat)
                scores = score(options.zoologist, folder, features, labels, METRICS, *asked)
                for metric, (value, interval) in scores.items():
                    if interval is not None:
                        found.setdefault(metric, []).append((value, (interval[1] - interval[0]) / 2 / reach))
                if options.own_folds:
                    measure = paired if case[3] else unstratified
                    own.append(measure(options.zoologist, folder, random, features, labels))
            for metric, values in found.items():
                row(case, metric, *zip(*values))
            if own:
                row(case, "logme, difference" if case[3] else "logme, random folds", *zip(*own))


if __name__ == "__main__":
    main()
