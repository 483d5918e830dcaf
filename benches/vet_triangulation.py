#!/usr/bin/env python3
"""Does `preprocessing-mismatch` of `zoologist vet` speak where pictures are prepared wrongly, and only there?

    vet_triangulation.py ZOO SET [SET ..] [--zoologist PATH] [--seeds 2] [--samples 64] [--keep FOLDER]

Declares six ways to prepare pictures in copies of every image model of ZOO (a folder as `make demo` fills it; models
are its folders with preprocessor_config.json and onnx/model.onnx): the true way, BGR, ImageNet's mean and deviation,
0..1, 0..255, and nearest neighbour with squashing instead of a crop. Vets each with every data set (a folder per class)
and seed, and prints two tables: per model and way what is flagged, how severely and what is proposed instead; and the
rates by way over all. A way that is no other than the true one is left out there. Squashing is the business of
`resize-sensitivity`, whose findings have a column of their own, beside those for the true way.

--keep leaves the copies in FOLDER, and the reports in FOLDER/reports; --models NAME,.. takes only these of the zoo. The
cache is where ZOOLOGIST_CACHE says, as for any run.

The exit code is 0 only if both requirements hold: 0..1 and 0..255 are always flagged, the true way never. Runs in which
the check could not be made (`not-run`) are not judged, and are listed; a requirement fails if a run of its ways gives
no report, or if one of its ways is judged nowhere.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MISMATCH = "preprocessing-mismatch"
RESIZE = "resize-sensitivity"
CHECKS = (MISMATCH, RESIZE)
SEVERITIES = ("info", "low", "medium", "high", "fatal")
JUDGED = ("ok", "finding")
SETTINGS = "preprocessor_config.json"
SUMS = "SHA256SUMS"
UNIT = 1 / 255
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
PLAIN = {"image_mean": [0.0, 0.0, 0.0], "image_std": [1.0, 1.0, 1.0]}
TRUE, SQUASH, GROSS = "true", "nearest + squash", ("0..1", "0..255")
# What follows the name of the proposed way in a message.
CLAUSE = re.compile(r"(?P<name>.+?) (?:the deviation|the distance|its own head)\b")
PROBED = re.compile(r"(?P<name>.+): probe [-\d.]+$")


def bgr(true: dict) -> dict:
    return true | {"channel_order": "BGR"}


def imagenet(true: dict) -> dict:
    return true | {"do_rescale": True, "rescale_factor": UNIT, "do_normalize": True} | IMAGENET


def unit(true: dict) -> dict:
    return true | {"do_rescale": True, "rescale_factor": UNIT, "do_normalize": False} | PLAIN


def raw(true: dict) -> dict:
    return true | {"do_rescale": False, "do_normalize": False} | PLAIN


def squashed(true: dict) -> dict:
    """Nearest neighbour, straight to what the network takes."""
    kept = {key: value for key, value in true.items() if key != "crop_size"}
    return kept | {"do_resize": True, "resample": 0, "size": taken(true), "do_center_crop": False}


WAYS: dict[str, Callable[[dict], dict]] = {
    TRUE: dict, "BGR": bgr, "ImageNet": imagenet, "0..1": unit, "0..255": raw, SQUASH: squashed,
}  # fmt: skip


def taken(settings: dict) -> dict[str, int]:
    """Height and width that the network gets: of the crop, or else of the resized picture."""
    size = settings.get("crop_size") if settings.get("do_center_crop", "crop_size" in settings) else None
    size = size or settings["size"]
    if isinstance(size, int):
        return {"height": size, "width": size}
    edge = size.get("shortest_edge")
    return {"height": size.get("height", edge), "width": size.get("width", edge)}


def effect(settings: dict) -> tuple:
    """What a declaration comes to: two that do the same have the same effect."""
    scale = settings.get("rescale_factor", UNIT) if settings.get("do_rescale", True) else 1.0
    normal = settings if settings.get("do_normalize", True) else PLAIN
    lines = [(scale / std, mean / std) for mean, std in zip(normal["image_mean"], normal["image_std"])]
    numbers = tuple(round(number, 6) for line in lines for number in line)
    frame = [settings.get(key) for key in ("do_resize", "size", "resample", "do_center_crop", "crop_size")]
    return numbers, settings.get("channel_order", "RGB"), json.dumps(frame, sort_keys=True)


@dataclass
class Run:
    """One way of one model, vetted with one data set and seed."""

    model: str
    way: str
    data: Path
    seed: int
    statuses: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    findings: list[dict] = field(default_factory=list)
    trouble: str = ""
    seconds: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.model}, {self.way}, {short(self.data)}, seed {self.seed}"

    @property
    def file(self) -> str:
        """A name for the report's file."""
        return re.sub(r"[^\w.+-]+", "-", self.name) + ".json"

    def judged(self, check: str) -> bool:
        return self.statuses.get(check) in JUDGED

    def said(self, check: str) -> list[dict]:
        return [finding for finding in self.findings if finding["check"] == check]

    def severity(self, check: str) -> str:
        """The worst that was said under this id."""
        return max((finding["severity"] for finding in self.said(check)), key=SEVERITIES.index, default="")

    @property
    def flagged(self) -> bool:
        return bool(self.said(MISMATCH))

    @property
    def proposals(self) -> list[str]:
        return [proposed(finding) for finding in self.said(MISMATCH)]

    @property
    def verdict(self) -> str:
        """In a few words, for the line of progress."""
        if self.trouble:
            return self.trouble
        if not self.judged(MISMATCH):
            return f"not judged: {self.reasons[MISMATCH]}"
        if not self.flagged:
            return "silent"
        return f"{self.severity(MISMATCH)}, proposes {'; '.join(self.proposals)}"


def short(data: Path) -> str:
    return "/".join(data.parts[-2:])


def proposed(finding: dict) -> str:
    """The way that a message proposes; one that proposes none is cut short and stands for itself."""
    message = finding["message"]
    _, found, rest = message.partition("prepared wrongly: with ")
    if not found:
        return f"nothing ({textwrap.shorten(message, 50, placeholder='..')})"
    tried = (PROBED.match(line) for line in finding.get("evidence", []))
    names = [match["name"] for match in tried if match and rest.startswith(match["name"] + " ")]
    if names:
        return max(names, key=len)
    clause = CLAUSE.match(rest)
    return clause["name"] if clause else textwrap.shorten(rest, 50, placeholder="..")


def main() -> int:
    asked = arguments()
    models = image_models(asked.zoo, asked.models)
    with tempfile.TemporaryDirectory() as spare:
        folder = (asked.keep or Path(spare)).resolve()
        copies = {model.name: declared(model, folder) for model in models}
        runs = [
            Run(model, way, data, seed)
            for model, ways in copies.items() for way in ways for data in asked.sets for seed in range(asked.seeds)
        ]  # fmt: skip
        (folder / "reports").mkdir(parents=True, exist_ok=True)
        for place, run in enumerate(runs, 1):
            vet(run, copies[run.model][run.way], asked, folder / "reports" / run.file)
            say(f"{place} of {len(runs)}: {run.name}: {run.verdict} ({run.seconds:.0f} s)")
    print_models(copies, runs)
    print_rates(runs)
    print_unjudged(runs)
    return 0 if requirements_hold(runs) else 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("zoo", type=Path, help="a folder of models of pictures")
    parser.add_argument("sets", type=Path, nargs="+", metavar="SET", help="pictures, a folder per class")
    parser.add_argument("--zoologist", type=Path, default=ROOT / "target/release/zoologist")
    parser.add_argument("--seeds", type=int, default=2, metavar="N", help="seeds from 0 on (2 if not given)")
    parser.add_argument("--samples", type=int, default=64, metavar="N", help="pictures of a run (64 if not given)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the copies and the reports here")
    parser.add_argument("--models", metavar="NAME,..", help="only these models of the zoo")
    parser.add_argument("--limit", type=float, default=900, metavar="S", help="seconds that one vet may take")
    asked = parser.parse_args()
    if asked.seeds < 1:
        parser.error("--seeds must be at least 1")
    if absent := [str(data) for data in asked.sets if not data.exists()]:
        parser.error(f"there is no {', '.join(absent)}")
    asked.zoologist = asked.zoologist.resolve()
    if not shutil.which(asked.zoologist):
        parser.error(f"there is no program {asked.zoologist}")
    return asked


def image_models(zoo: Path, only: str | None) -> list[Path]:
    """The models' folders, in the order of their names."""
    found = sorted(path.parent for path in zoo.glob(f"*/{SETTINGS}") if (path.parent / "onnx/model.onnx").is_file())
    if only:
        found = [model for model in found if model.name in only.split(",")]
    if not found:
        sys.exit(f"{zoo} has no such folder with {SETTINGS} and onnx/model.onnx")
    return found


def declared(model: Path, folder: Path) -> dict[str, Path]:
    """A copy of the model for each way; ways that are the true one are left out."""
    true = json.loads((model / SETTINGS).read_text())
    copies = {}
    for way, change in WAYS.items():
        settings = change(true)
        if way == TRUE or effect(settings) != effect(true):
            copies[way] = folder / model.name / way.replace(" ", "")
            copy(model, copies[way], settings)
    return copies


def copy(model: Path, target: Path, settings: dict) -> None:
    """The model's files but for its checksums, with other settings of the preprocessor, which are never linked."""
    for source in model.rglob("*"):
        place = source.relative_to(model)
        if source.is_file() and str(place) not in (SETTINGS, SUMS):
            link(source.resolve(), target / place)
    (target / SETTINGS).write_text(json.dumps(settings, indent=2) + "\n")


def link(source: Path, target: Path) -> None:
    """A hard link, or a copy where there can be none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def vet(run: Run, model: Path, asked: argparse.Namespace, report: Path) -> None:
    """Vets a copy, keeps the report and reads it."""
    command = [asked.zoologist, "vet", model, run.data, "--json", "--quiet", "--seed", str(run.seed),
               "--samples", str(asked.samples), "--only", ",".join(CHECKS)]  # fmt: skip
    start = time.perf_counter()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=asked.limit)
    except subprocess.TimeoutExpired:
        run.trouble = f"took more than {asked.limit:.0f} s"
    else:
        report.write_text(done.stdout)
        read(run, done.returncode, done.stdout, done.stderr)
    run.seconds = time.perf_counter() - start


def read(run: Run, code: int, text: str, errors: str) -> None:
    """Takes over what a report tells; trouble where it is none."""
    try:
        report = json.loads(text)
        run.statuses = {check["check"]: check["status"] for check in report["checks"]}
        run.reasons = {check["check"]: check["reason"] or check["status"] for check in report["checks"]}
        run.findings = [finding for finding in report["findings"] if finding["check"] in (MISMATCH, RESIZE)]
        for finding in run.findings:
            SEVERITIES.index(finding["severity"])
    except (ValueError, KeyError, TypeError):
        run.trouble = f"exit {code}, no report: {' '.join((errors or text).split())[:120]}"
        run.statuses, run.findings = {}, []
        return
    if MISMATCH not in run.statuses:
        run.trouble = f"exit {code}, the report doesn't name {MISMATCH}"


def print_models(copies: dict[str, dict[str, Path]], runs: list[Run]) -> None:
    """A line per model and way."""
    rows = [("model", "declared", "flagged", "by severity", "proposed instead", RESIZE)]
    for model, ways in copies.items():
        for way in WAYS:
            if way not in ways:
                rows.append((model, way, "is the truth", "", "", ""))
                continue
            group = [run for run in runs if run.model == model and run.way == way]
            proposals = Counter(name for run in group for name in run.proposals)
            resized = resizing(group) if way in (TRUE, SQUASH) else ""
            rows.append((model, way, share(group, MISMATCH), severities(group, MISMATCH), counted(proposals), resized))
    print_table(rows)


def share(group: list[Run], check: str) -> str:
    """k of n, with n the runs that are judged."""
    judged = sum(run.judged(check) for run in group)
    if not judged:
        return "not judged"
    return f"{sum(bool(run.said(check)) for run in group)} of {judged}"


def severities(group: list[Run], check: str) -> str:
    """How often each severity is the worst of a run, worst first."""
    counts = Counter(run.severity(check) for run in group)
    return ", ".join(f"{name} {counts[name]}" for name in reversed(SEVERITIES) if counts[name])


def resizing(group: list[Run]) -> str:
    """What `resize-sensitivity` says: k of n, and how severely."""
    severe = severities(group, RESIZE)
    return share(group, RESIZE) + (f": {severe}" if severe else "")


def counted(counts: Counter[str]) -> str:
    return "; ".join(f"{name} ({n})" for name, n in counts.most_common())


def print_rates(runs: list[Run]) -> None:
    """A line per way, over all models, data sets and seeds."""
    print(f"\nby way, over {len({run.model for run in runs})} models and {len({run.data for run in runs})} data sets:")
    rows = [("declared", "runs", "not judged", "flagged", "rate", *reversed(SEVERITIES), RESIZE)]
    for way in WAYS:
        group = [run for run in runs if run.way == way]
        judged = [run for run in group if run.judged(MISMATCH)]
        flagged = sum(run.flagged for run in judged)
        rate = f"{flagged / len(judged):.2f}" if judged else "-"
        worst = Counter(run.severity(MISMATCH) for run in judged)
        counts = (str(worst[name] or ".") for name in reversed(SEVERITIES))
        resized = resizing(group) if way in (TRUE, SQUASH) else ""
        rows.append((way, str(len(group)), str(len(group) - len(judged)), str(flagged), rate, *counts, resized))
    print_table(rows)


def print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for at, row in enumerate(rows):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |")
        if at == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")


def print_unjudged(runs: list[Run]) -> None:
    """The runs that say nothing about the check, and why."""
    if unjudged := [run for run in runs if not run.judged(MISMATCH)]:
        print(f"\nnot judged: {len(unjudged)} of {len(runs)}")
        for run in unjudged:
            print(f"* {run.name}: {run.trouble or run.reasons[MISMATCH]}")


def requirements_hold(runs: list[Run]) -> bool:
    """Says whether the two requirements hold, and which runs are against them."""
    gross = [run for run in runs if run.way in GROSS]
    true = [run for run in runs if run.way == TRUE]
    print()
    held = [
        requirement(f"{' and '.join(GROSS)} are always flagged", gross, lambda run: run.flagged),
        requirement("the true way is never flagged", true, lambda run: not run.flagged),
    ]
    return all(held)


def requirement(words: str, group: list[Run], fits: Callable[[Run], bool]) -> bool:
    """Whether all judged runs fit; each way must be judged somewhere, and no run may be without a report."""
    judged = [run for run in group if run.judged(MISMATCH)]
    against = [run for run in judged if not fits(run)]
    broken = [run for run in group if run.trouble]
    nowhere = sorted({run.way for run in group} - {run.way for run in judged})
    holds = bool(judged) and not nowhere and not against and not broken
    absent = len(group) - len(judged)
    note = f", {absent} not judged" if absent else ""
    print(f"{'holds' if holds else 'DOES NOT HOLD'}: {words} ({len(judged) - len(against)} of {len(judged)}{note})")
    for run in against + broken:
        print(f"* {run.name}: {run.verdict}")
    for way in nowhere:
        print(f"* {way} is judged nowhere")
    return holds


if __name__ == "__main__":
    sys.exit(main())
