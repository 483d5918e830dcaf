"""Cost of scoring against the code of others, whole process against whole process, on features of given shapes.

    make bench-scores LOGME=path/to/checkout/of/thuml/LogME [CASES="5000x768x10"] [ROUNDS=3] [THREADS=1]

Features are float32: a mean per class plus noise. Every side gets the same files and the same number of threads; runs
alternate. CPU is user + system time of the process and memory its peak resident set, both as the kernel counts them
when it ends; reading the files, imports and, for thuml/LogME, the compilation at import are included, so the seconds
of its fit alone stand beside. Medians of the rounds; ratios are the peer's by ours.

OPENBLAS_CORETYPE limits the peer's BLAS to a kernel of one's choice: it is unset for the peers, unless
--keep-openblas-coretype is given. The kernels that ran are printed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ZOOLOGIST = ROOT / "target/release/zoologist"
CASES = ["5000x768x10", "10000x2048x1000", "50000x768x100", "50000x2048x100"]
THREAD_VARIABLES = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"]
OURS = ["logme", "logme_compat", "logme,hscore,hscore_regularized,lfc"]


def make(folder, n, dim, classes):
    """Features and labels of a case, as files. Done by a process of its own: a child's peak memory counts its parent's."""
    import numpy as np

    random = np.random.default_rng(0)
    labels = np.arange(n) % classes
    random.shuffle(labels)
    means = random.normal(size=(classes, dim)).astype(np.float32)
    features = random.standard_normal((n, dim), np.float32)
    features *= 2
    for start in range(0, n, 4096):
        features[start : start + 4096] += means[labels[start : start + 4096]]
    np.save(folder / "features.npy", features)
    np.save(folder / "labels.npy", labels.astype(np.int64))


def measured(command, environment):
    """What a process printed, its CPU and wall seconds, and its peak memory in MiB; or why it failed."""
    begun = time.perf_counter()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen([str(part) for part in command], stdout=out, stderr=err, env=environment)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - begun
        out.seek(0)
        err.seek(0)
        if child.returncode != 0:
            return err.read().decode(errors="replace").strip().splitlines()[-1:] or [f"ended with {child.returncode}"]
        memory = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
        return {"out": json.loads(out.read()), "cpu": usage.ru_utime + usage.ru_stime, "wall": wall, "memory": memory}


def sides(arguments, features, labels):
    """Every side by name: its command and its environment."""
    threads = {name: str(arguments.threads) for name in THREAD_VARIABLES}
    ours = os.environ | threads
    peers = dict(ours)
    if not arguments.keep_openblas_coretype:
        peers.pop("OPENBLAS_CORETYPE", None)
    score = [ZOOLOGIST, "score", features, labels, "--task", "classification", "--threads", arguments.threads]
    score += ["--json", "--quiet", "--metrics"]
    wanted = [*OURS, "all"] if arguments.all else OURS
    found = {f"zoologist {name(metrics)}": ([*score, metrics], ours) for metrics in wanted}
    peer = [sys.executable, ROOT / "benches/score_peer.py"]
    if arguments.logme:
        found["thuml LogME"] = ([*peer, "logme", arguments.logme, features, labels], peers)
    if has_transformer_ranker():
        found["transformer-ranker LogME"] = ([*peer, "transformer-ranker", "-", features, labels], peers)
    return found


def name(metrics):
    """Several scores at once are too long for a table."""
    return metrics if "," not in metrics else f"{metrics.count(',') + 1} from statistics"


def has_transformer_ranker():
    return subprocess.run([sys.executable, "-c", "import transformer_ranker"], stderr=subprocess.DEVNULL).returncode == 0


def run(arguments, case):
    """All rounds of one case, each side once per round; a side that fails is not tried again."""
    n, dim, classes = (int(number) for number in case.split("x"))
    print(f"\n{n:,} x {dim:,}, {classes:,} classes, {arguments.threads} thread(s), {arguments.rounds} round(s)")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, __file__, "--make", case, folder], check=True)
        features, labels = Path(folder) / "features.npy", Path(folder) / "labels.npy"
        size = features.stat().st_size / 2**20
        print(f"  the features are {size:,.0f} MiB")
        waiting, runs = sides(arguments, features, labels), {}
        for _ in range(arguments.rounds):
            for side, (command, environment) in list(waiting.items()):
                found = measured(command, environment)
                if isinstance(found, dict):
                    runs.setdefault(side, []).append(found)
                else:
                    print(f"  {side}: not measured: {found[0]}")
                    del waiting[side]
    report(runs)


def report(runs):
    middle = {
        side: {what: statistics.median(one[what] for one in found) for what in ["cpu", "wall", "memory"]}
        for side, found in runs.items()
    }
    print(f"  {'':26}{'CPU s':>9}{'wall s':>9}{'MiB':>9}   value")
    for side, medians in middle.items():
        out = runs[side][-1]["out"]
        fit = f"   fit alone {statistics.median(one['out']['seconds'] for one in runs[side]):.2f} CPU s" if "seconds" in out else ""
        numbers = f"{medians['cpu']:9.2f}{medians['wall']:9.2f}{medians['memory']:9.0f}"
        print(f"  {side:26}{numbers}   {value(side, out)}{fit}")
    ours = middle.get("zoologist logme")
    peers = {side: medians for side, medians in middle.items() if not side.startswith("zoologist")}
    for side, medians in peers.items():
        for own in [name for name in middle if name.startswith("zoologist")]:
            ratios = ", ".join(f"{what} {medians[what] / max(middle[own][what], 1e-9):.2f}" for what in medians)
            print(f"  {side} by {own}: {ratios}")
        print(f"  kernels of {side}: {runs[side][-1]['out']['kernels']}")
    if not peers or ours is None:
        print("  nothing to compare: a side is missing")


def value(side, out):
    """Ours in short: each metric's value, or its status."""
    if "scores" not in out:
        return f"{out['value']:.6f}"
    scores = out["scores"]
    if len(scores) > 1:
        return f"{len(scores)} scores"
    return ", ".join(f"{s['value']:.6f}" if s["value"] is not None else s["status"] for s in scores)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logme", type=Path, help="a checkout of thuml/LogME: the folder that holds LogME.py")
    parser.add_argument("--cases", nargs="*", default=CASES, help="rows x dimensions x classes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--keep-openblas-coretype", action="store_true")
    parser.add_argument("--all", action="store_true", help="also every default score of ours, those from rows too")
    parser.add_argument("--make", nargs=2, metavar=("CASE", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.make:
        case, folder = arguments.make
        make(Path(folder), *(int(number) for number in case.split("x")))
        return
    if arguments.logme and not (arguments.logme / "LogME.py").is_file():
        parser.error(f"{arguments.logme} holds no LogME.py: give a checkout of thuml/LogME")
    if not arguments.logme:
        print("no --logme: thuml/LogME is not measured")
    if not has_transformer_ranker():
        print("transformer-ranker is not installed: it is not measured")
    if core := os.environ.get("OPENBLAS_CORETYPE"):
        kept = "kept" if arguments.keep_openblas_coretype else "unset"
        print(f"OPENBLAS_CORETYPE={core} is {kept} for the peers")
    print(f"{os.cpu_count()} cores")
    for case in arguments.cases:
        run(arguments, case)


if __name__ == "__main__":
    main()
