"""What a score's value means: scores beside their nulls, LogME's curve, and two intervals beside their difference.

    python benches/meaning.py [--zoologist target/release/zoologist] [--pictures docs/pictures]

Makes small seeded data sets, runs `zoologist score` on them, prints the tables and draws three pictures. It also
compares LogME with the published code's, statistics in parts with statistics in one piece, and single with double
precision. It needs numpy, scipy and matplotlib. It ends with an error if LogME's formula, evaluated in numpy, and the
program disagree, or if statistics in parts are not the same to the last bit.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import matplotlib
import numpy as np
from scipy.optimize import minimize_scalar
from scipy.stats import t as student

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
SCORES = ["logme", "hscore", "hscore_regularized", "lfc", "transrate", "ridge"]
STRENGTHS = [0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0]
ROWS, CLASSES, INFORMATIVE = 600, 4, 8
FOLDS = 20
STYLE = {
    "font.family": "sans-serif",
    "font.size": 9,
    "svg.fonttype": "none",
    "svg.hashsalt": "zoologist",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "white",
}


class Program:
    """The program under test; its files live in a folder of their own."""

    def __init__(self, path, folder):
        self.path, self.folder = path, Path(folder)

    def score(self, features, labels, metrics, *options):
        """Scores by name."""
        paths = self.folder / "features.npy", self.folder / "labels.npy"
        np.save(paths[0], features)
        np.save(paths[1], labels)
        command = [self.path, "score", *paths, "--metrics", ",".join(metrics), "--json", "--quiet", *options]
        return {score["metric"]: score for score in json.loads(self.run(command))["scores"]}

    def statistics(self, name, shard="0/1"):
        """Statistics of the features and labels that were scored last."""
        path = self.folder / name
        paths = self.folder / "features.npy", self.folder / "labels.npy"
        self.run([self.path, "stats", *paths, "--shard", shard, "--quiet", "-o", path])
        return path

    def run(self, command):
        """What a command prints."""
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def classes_of(random, rows=ROWS):
    """Balanced labels in a random order."""
    labels = np.arange(rows) % CLASSES
    random.shuffle(labels)
    return labels


def features_of(random, labels, dim, strength):
    """Unit noise; the first few dimensions also have class means of that spread. The means do not depend on the
    strength and the dimension, so only these differ between data sets of one seed."""
    means = np.random.default_rng(7).normal(size=(CLASSES, INFORMATIVE))
    features = random.normal(size=(len(labels), dim))
    features[:, :INFORMATIVE] += strength * (means - means.mean(axis=0))[labels]
    return features


def data_set(dim, strength, rows=ROWS, seed=1):
    """Features and labels."""
    random = np.random.default_rng(seed)
    labels = classes_of(random, rows)
    return features_of(random, labels, dim, strength), labels


def value_and_null(score):
    """Value, mean and deviation of its null, status. LogME's are gains: what no features give is taken off."""
    base = score["value"] - score["gain"] if score["metric"] == "logme" else 0.0
    null = score["null"]
    return score["value"] - base, null["mean"] - base, null["deviation"], score["status"]


def cases():
    """Names and data sets of the table."""
    yield "noise, D 16", *data_set(16, 0)
    yield "noise, D 400", *data_set(400, 0)
    yield "noise, D 590", *data_set(590, 0)
    yield "noise, D 800", *data_set(800, 0)
    yield "weak (0.2), D 16", *data_set(16, 0.2)
    yield "weak (0.2), D 400", *data_set(400, 0.2)
    yield "medium (0.4), D 16", *data_set(16, 0.4)
    yield "medium (0.4), D 400", *data_set(400, 0.4)
    yield "strong (1), D 16", *data_set(16, 1)
    yield "strong (1), D 400", *data_set(400, 1)
    features, labels = data_set(400, 0)
    yield "noise, D 400, negatives cut to 0", np.maximum(features, 0), labels
    features, labels = data_set(16, 0.4)
    yield "medium, D 16, times 1000", features * 1000, labels


def table(program):
    """Prints every case's scores beside their nulls."""
    print("| N = 600, K = 4 | " + " | ".join(["logme (gain)", *SCORES[1:]]) + " |")
    print("|---" * (len(SCORES) + 1) + "|")
    for name, features, labels in cases():
        found = program.score(features, labels, SCORES, "--null", "--interval")
        cells = []
        for metric in SCORES:
            value, mean, deviation, status = value_and_null(found[metric])
            cells.append(f"{value:.3f} ({mean:.3f} ± {deviation:.3f})" + ("" if status == "ok" else f" `{status}`"))
        print(f"| {name} | " + " | ".join(cells) + " |")


def draw_nulls(program, path):
    """Each score against the strength of the signal, in 16 and in 400 dimensions, beside its null."""
    lines = {}
    for dim in [16, 400]:
        for strength in STRENGTHS:
            features, labels = data_set(dim, strength)
            found = program.score(features, labels, SCORES, "--null")
            for metric in SCORES:
                lines.setdefault((metric, dim), []).append(value_and_null(found[metric])[:3])
    figure, axes = plt.subplots(2, 3, figsize=(8, 4.6), layout="constrained")
    for metric, axis in zip(SCORES, axes.flat):
        for dim, dash in [(16, "-"), (400, (0, (4, 2)))]:
            values, means, deviations = np.array(lines[metric, dim]).T
            axis.fill_between(STRENGTHS, means - 2 * deviations, means + 2 * deviations, color="0.85", linewidth=0)
            axis.plot(STRENGTHS, means, color="0.55", linestyle=dash, linewidth=1, label=f"labels permuted, D = {dim}")
            axis.plot(STRENGTHS, values, color="black", linestyle=dash, linewidth=1.5, label=f"value, D = {dim}")
        axis.set_title("logme: gain" if metric == "logme" else metric, fontsize=9)
        if metric == "transrate":
            axis.set_yscale("log")
        axis.locator_params(axis="x", nbins=5)
    for axis in axes[1]:
        axis.set_xlabel("strength of the signal")
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    save(figure, path)


def compare_published(program):
    """LogME beside the published code's two methods."""
    names = ["logme", "logme_compat", "logme_compat_icml"]
    print("| data | N, D, K | " + " | ".join(names) + " |")
    print("|---" * (len(names) + 2) + "|")
    features, labels = data_set(16, 0.4)
    noise, few = data_set(2048, 0, rows=200)
    signal, _ = data_set(128, 1, rows=200)
    pairs = [
        ("medium signal", features, labels),
        ("times 1000", features * 1000, labels),
        ("divided by 1000", features / 1000, labels),
        ("class numbers 0, 3, 6, 9", features, labels * 3),
        ("noise, N < D", noise, few),
        ("strong signal", signal, few),
    ]
    for name, table_of_case, labels in pairs:
        found = program.score(table_of_case, labels, names)
        values = " | ".join(f"{found[metric]['value']:.3f}" for metric in names)
        print(f"| {name} | {len(labels)}, {table_of_case.shape[1]}, {CLASSES} | {values} |")


def compare_signs(program):
    """PARC and others with the sign of some columns turned."""
    features, labels = data_set(16, 0.4)
    turned = features * np.where(np.arange(16) < 8, -1, 1)
    names = ["parc", "logme", "hscore", "lda", "gbc", "knn"]
    before, after = (program.score(table, labels, names) for table in (features, turned))
    print("signs of 8 of 16 columns turned: " + ", ".join(
        f"{name} {before[name]['value']:.6f} -> {after[name]['value']:.6f}" for name in names))


def compare_statistics(program):
    """Statistics in seven parts against one piece; single against double precision; few rows with and without rows."""
    names = ["logme", "hscore", "hscore_regularized", "lfc"]
    random = np.random.default_rng(5)
    labels = classes_of(random, 6000)
    features = features_of(random, labels, 256, 0.4).astype(np.float32)
    single = program.score(features, labels, names)
    whole = program.statistics("whole.zs")
    parts = [program.statistics(f"part-{number}.zs", f"{number}/7") for number in range(7)]
    merged = program.folder / "merged.zs"
    program.run([program.path, "merge", "--quiet", *[parts[place] for place in random.permutation(7)], "-o", merged])
    if whole.read_bytes() != merged.read_bytes():
        raise SystemExit("statistics in parts differ from those in one piece")
    kept = {one["metric"]: one for one in json.loads(program.run([program.path, "score", merged, "--json"]))["scores"]}
    if any(kept[name]["value"] != single[name]["value"] for name in names):
        raise SystemExit("scores of statistics differ from scores of rows")
    print("statistics in 7 parts, merged in a random order: the same file as in one piece, the same scores as of rows")
    double = program.score(features.astype(float), labels, names)
    print("single against double precision, relative: " + apart(single, double))
    random = np.random.default_rng(200_064)
    labels = classes_of(random, 200_000)
    noise = random.standard_normal((200_000, 64)).astype(np.float32)
    single, double = (program.score(table, labels, names) for table in (noise, noise.astype(float)))
    print("the same, 200,000 rows of even noise: " + apart(single, double)
          + f"; hscore_regularized is {double['hscore_regularized']['value']:.1e}")
    labels = classes_of(random, 200)
    rows = program.score(features_of(random, labels, 300, 1), labels, names)
    command = [program.path, "score", program.statistics("wide.zs"), "--json"]
    kept = {one["metric"]: one for one in json.loads(program.run(command))["scores"]}
    print("200 rows of 300 dimensions, of statistics against of rows, relative: " + apart(kept, rows))


def apart(first, second):
    """Relative differences by name."""
    pairs = {name: (first[name]["value"], second[name]["value"]) for name in second}
    return ", ".join(f"{name} {abs(one - other) / abs(other or 1):.1e}" for name, (one, other) in pairs.items())


def profile(features, target, ratios):
    """LogME's evidence per row at each t = alpha/beta, from the formula in docs/idea.md and score/logme, and its limit
    for t to infinity, where the features are not used."""
    rows = len(target)
    left, singular, _ = np.linalg.svd(features, full_matrices=False)
    sigma, projected = singular**2, (left.T @ target) ** 2
    outside = target @ target - projected.sum()
    unused = 0.5 * np.log(rows / (2 * np.pi * np.e * (target @ target)))
    residual = outside + (projected * (ratios[:, None] / (sigma + ratios[:, None]))).sum(axis=1)
    determinant = np.log1p(sigma / ratios[:, None]).sum(axis=1)
    return 0.5 * np.log(rows / (2 * np.pi * np.e * residual)) - determinant / (2 * rows), unused


def draw_profile(program, path):
    """The evidence of one column against t, for features with a signal and for noise."""
    ratios = np.logspace(0.5, 6, 500)
    figure, axis = plt.subplots(figsize=(6, 3.4), layout="constrained")
    for strength, dash, name in [(0.6, "-", "features with a signal"), (0, (0, (4, 2)), "noise")]:
        features, labels = data_set(64, strength, seed=3)
        target = (labels == 0).astype(float)
        curve, unused = profile(features, target, ratios)
        best = maximum(features, target)
        found = program.score(features, target, ["logme"], "--task", "regression")["logme"]
        print(f"profile, {name}: numpy {best[1]:.12f}, program {found['value']:.12f}, gain {found['gain']:.6f}, "
              f"status {found['status']}")
        if abs(best[1] - found["value"]) > 1e-9 or abs(best[1] - unused - found["gain"]) > 1e-9:
            raise SystemExit("the formula and the program disagree")
        axis.semilogx(ratios, curve, color="black", linestyle=dash, linewidth=1.5, label=name)
        if strength:
            axis.plot(best[0], best[1], "ko", markersize=5)
            axis.annotate("", (best[0], best[1]), (best[0], unused), arrowprops={"arrowstyle": "<->", "lw": 0.8})
            axis.text(best[0] * 1.15, unused + 0.3 * (best[1] - unused), f"gain {found['gain']:.3f}", va="center")
            axis.text(best[0], best[1] + 0.01, f"value {found['value']:.3f}", ha="center", va="bottom")
    axis.axhline(unused, color="0.5", linewidth=0.8)
    axis.text(ratios[-1], unused + 0.004, "features unused", color="0.35", ha="right", va="bottom")
    axis.set_ylim(unused - 0.16, unused + 0.09)
    axis.set_xlabel("t = alpha / beta: how strongly weights are held at 0")
    axis.set_ylabel("log evidence per sample, nats")
    axis.legend(frameon=False, loc="lower right")
    save(figure, path)


def maximum(features, target):
    """The t of the largest evidence per row, and that evidence."""
    grid = np.logspace(-6, 10, 1600)
    values, unused = profile(features, target, grid)
    place = int(values.argmax())
    if values[place] <= unused:
        return np.inf, unused
    around = np.log(grid[max(place - 1, 0)]), np.log(grid[min(place + 1, len(grid) - 1)])
    at = minimize_scalar(lambda x: -profile(features, target, np.exp([x]))[0][0], bounds=around, method="bounded",
                         options={"xatol": 1e-10})
    return (np.exp(at.x), -at.fun) if -at.fun > unused else (np.inf, unused)


def draw_intervals(program, path):
    """Two models on the same rows: their intervals, and that of their difference."""
    random = np.random.default_rng(11)
    labels = classes_of(random)
    first = features_of(random, labels, 32, 0.6)
    second = first + 0.4 * random.normal(size=first.shape)
    fold = np.empty(ROWS, int)
    for label in range(CLASSES):
        places = random.permutation(np.flatnonzero(labels == label))
        fold[places] = np.arange(len(places)) % FOLDS
    reach = student.ppf(0.975, FOLDS - 1)
    models, values, intervals, errors, without = [first, second], [], [], [], []
    for name, features in zip("AB", models):
        score = program.score(features, labels, ["logme"], "--interval")["logme"]
        left_out = [
            program.score(features[fold != j], labels[fold != j], ["logme"])["logme"]["value"] for j in range(FOLDS)
        ]
        values.append(score["value"])
        intervals.append(score["interval"])
        without.append(np.array(left_out))
        errors.append(jackknife(without[-1]))
        print(f"model {name}: logme {score['value']:.4f} [{score['interval'][0]:.4f}, {score['interval'][1]:.4f}], "
              f"standard error {(score['interval'][1] - score['value']) / reach:.4f} by the program's shards, "
              f"{errors[-1]:.4f} by 20 others")
    difference, error = values[0] - values[1], jackknife(without[0] - without[1])
    alone = np.hypot(*errors)
    print(f"difference: {difference:.4f} [{difference - reach * error:.4f}, {difference + reach * error:.4f}], "
          f"standard error {error:.4f} (as if independent {alone:.4f}, {alone / error:.1f} times that), P(A better) "
          f"{student.cdf(difference / error, FOLDS - 1):.4f}")
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 2), layout="constrained", width_ratios=[3, 2])
    for place, (value, interval) in enumerate(zip(values, intervals)):
        left.plot(interval, [place, place], "k-", linewidth=1.5)
        left.plot(value, place, "ko")
    left.set_yticks([0, 1], ["model A", "model B"])
    left.set_ylim(1.6, -0.6)
    left.locator_params(axis="x", nbins=4)
    left.set_xlabel("logme, 95% intervals: they overlap")
    right.plot([difference - reach * error, difference + reach * error], [0, 0], "k-", linewidth=1.5)
    right.plot(difference, 0, "ko")
    right.axvline(0, color="0.5", linewidth=0.8)
    right.set_yticks([0], ["A less B"])
    right.set_ylim(1.6, -0.6)
    span = left.get_xlim()[1] - left.get_xlim()[0]
    right.set_xlim(-span * 2 / 3 * 0.3, span * 2 / 3 * 0.7)
    right.set_xlabel("difference, same scale: 0 is outside")
    right.locator_params(axis="x", nbins=4)
    save(figure, path)


def jackknife(without):
    """The standard error from the values without each fold."""
    count = len(without)
    return np.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum())


def save(figure, path):
    """Writes a picture that is equal byte for byte for equal numbers."""
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    print(f"{path}: {path.stat().st_size / 1024:.0f} KiB")


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zoologist", type=Path, default=ROOT / "target/release/zoologist")
    parser.add_argument("--pictures", type=Path, default=ROOT / "docs/pictures")
    options = parser.parse_args()
    plt.rcParams.update(STYLE)
    options.pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        program = Program(options.zoologist, folder)
        table(program)
        compare_published(program)
        compare_signs(program)
        compare_statistics(program)
        draw_nulls(program, options.pictures / "score-and-null.svg")
        draw_profile(program, options.pictures / "evidence.svg")
        draw_intervals(program, options.pictures / "difference.svg")


if __name__ == "__main__":
    main()
