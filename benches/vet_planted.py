#!/usr/bin/env python3
"""Does `zoologist vet` find defects that are known to be there, and keep silent where there are none?

    vet_planted.py ZOO TEXT_ZOO PICTURES TEXTS [--zoologist PATH] [--keep FOLDER] [--only NAME,...] [--plant-only]

Plants one defect at a time into a copy of a real model (or of its data), vets the copy, and prints a line per case and
a table of confusion. ZOO and TEXT_ZOO are the folders that `make demo` and `make demo-text` fill; PICTURES is a folder
per class, TEXTS a CSV with the columns text and label. Several data sets, separated by commas, give more controls: most
planted cases use the first, some the one in which the defect shows. Planting measures that the defect is there, and
says so where it is not. --keep uses what was planted before: after a change of the data sets, take another folder.

Needs numpy, onnx, onnxruntime, pillow, safetensors and tokenizers. The exit code is 0 only if every defect is found, as
severe as expected, and nothing else is called fatal or high.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from planted import datasets, features, labelled, texts, weights  # noqa: F401: they register the cases
from planted.bases import PICTURES, TEXTS
from planted.cases import CASES, HARMFUL, SEVERITIES, Bench, Case, NotPlanted, plant

ROOT = Path(__file__).resolve().parent.parent
STATIC = (
    "unsafe-pickle", "external-data-path", "tensor-inventory", "non-finite-weights", "untrained-weights",
    "zero-tensors", "token-id-range", "train-mode-graph", "dynamic-axes", "provenance",
)  # fmt: skip
# What the models of the zoos are rightly told, unchanged: one for pages cannot be of use for photographs.
RIGHT_ON_CONTROLS = {"pplcnet_orientation": ("below-baseline",)}
SKIPPED = "not planted"


@dataclass
class Outcome:
    """What became of one case."""

    case: Case
    findings: list[dict] = field(default_factory=list)
    checks: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    trouble: str = ""

    @property
    def matching(self) -> list[dict]:
        """What was said under the expected id, or else under one that says the same."""
        for name in (self.case.expected, *self.case.instead):
            if found := [finding for finding in self.findings if finding["check"] == name]:
                return found
        return []

    @property
    def severity(self) -> str:
        """The worst that was said under the expected id."""
        return max((finding["severity"] for finding in self.matching), key=SEVERITIES.index, default="")

    @property
    def harmful(self) -> list[str]:
        """What is called fatal or high, each id once."""
        return list(dict.fromkeys(f["check"] for f in self.findings if f["severity"] in HARMFUL))

    @property
    def others(self) -> list[str]:
        """What is called fatal or high besides the planted defect and what follows of it."""
        return [name for name in self.harmful if name != self.case.expected and name not in self.case.allowed]

    @property
    def found(self) -> bool:
        return rank(self.severity) >= rank(self.case.severity) if self.case.expected else True

    @property
    def good(self) -> bool:
        return self.found and not self.others and not self.trouble


def rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else -1


def main() -> int:
    asked = arguments()
    with tempfile.TemporaryDirectory() as spare:
        folder = (asked.keep or Path(spare)).resolve()
        sets = named(asked.pictures, PICTURES), named(asked.texts, TEXTS)
        bench = Bench(asked.zoo, asked.text_zoo, folder, *sets)
        CASES.extend(controls(bench))
        cases = chosen(asked.only)
        unplanted = plant_all(cases, bench)
        if asked.plant_only:
            return 1 if unplanted else 0
        outcomes = [vet(case, bench, asked, unplanted.get(case.name)) for case in cases]
    print_lines(outcomes)
    print_totals(outcomes)
    print_confusion(outcomes)
    return 0 if all(outcome.good for outcome in outcomes) else 1


def arguments() -> argparse.Namespace:
    def several(text: str) -> list[Path]:
        return [Path(part) for part in text.split(",")]

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("zoo", type=Path, help="models of pictures")
    parser.add_argument("text_zoo", type=Path, help="models of texts")
    parser.add_argument("pictures", type=several, help="a folder per class; more of them for controls, after commas")
    parser.add_argument("texts", type=several, help="a CSV with text and label; more of them for controls")
    parser.add_argument("--zoologist", type=Path, default=ROOT / "target/release/zoologist")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep what is planted here, and use what is there")
    parser.add_argument("--only", metavar="NAME,...", help="these cases, or all whose expected id is named")
    parser.add_argument("--plant-only", action="store_true", help="plant, and vet nothing")
    parser.add_argument("--options", default="", help="more options of vet, separated by spaces")
    parser.add_argument("--fake", type=Path, metavar="FILE", help="answers, not vet's: {case or *: {exit, report}}")
    parser.add_argument("--limit", type=float, default=600, help="seconds that one vet may take")
    return parser.parse_args()


def named(sources: list[Path], first: str) -> dict[str, Path]:
    """A name for each data set; the first of a kind has a fixed one."""
    others = {f"{source.parent.name}-{source.name}": source for source in sources[1:]}
    return {first: sources[0], **others}


def controls(bench: Bench) -> list[Case]:
    """Every model as it is, with every data set of its kind."""
    made = []
    for zoo, sets in ((bench.zoo, bench.pictures), (bench.text_zoo, bench.texts)):
        for model in sorted(path.name for path in zoo.iterdir() if path.is_dir()):
            for place, data in enumerate(sets, 1):
                allowed = RIGHT_ON_CONTROLS.get(model, ())
                made.append(Case(f"control-{model}-{place}", lambda site: {}, model, data, allowed=allowed))
    return made


def chosen(only: str | None) -> list[Case]:
    wanted = set(only.split(",")) if only else None
    cases = [case for case in CASES if wanted is None or wanted & {case.name, case.expected}]
    if not cases:
        sys.exit(f"no case is called {only}; there are: {', '.join(case.name for case in CASES)}")
    return cases


def plant_all(cases: list[Case], bench: Bench) -> dict[str, str]:
    """Plants what is not there yet; why some could not be planted."""
    datasets.shared(bench)
    missing = [case for case in cases if not case.is_planted(bench)]
    failed = {}
    for place, case in enumerate(missing, 1):
        say(f"planting {place} of {len(missing)}: {case.name}")
        try:
            measured = plant(case, bench)
        except NotPlanted as reason:
            failed[case.name] = f"{SKIPPED}: {reason}"
            say(f"{case.name}: {failed[case.name]}")
            continue
        if measured:
            say("    " + ", ".join(f"{key}: {short(value)}" for key, value in measured.items()))
    return failed


def short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def vet(case: Case, bench: Bench, asked: argparse.Namespace, unplanted: str | None) -> Outcome:
    """Vets the planted model, or takes the faked answer."""
    if unplanted:
        return Outcome(case, trouble=unplanted)
    say(f"vetting {case.name}")
    start = time.perf_counter()
    model = case.folder(bench) / "model"
    command = [asked.zoologist, "vet", model, case.data_path(bench), "--json", *asked.options.split()]
    code, text = faked(asked.fake, case.name) if asked.fake else run(command, asked.limit)
    outcome = read(case, code, text)
    outcome.seconds = time.perf_counter() - start
    return outcome


def run(command: list, limit: float) -> tuple[int | None, str]:
    """Exit code (None: too slow) and standard output."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return None, ""
    return done.returncode, done.stdout or done.stderr


def faked(path: Path, name: str) -> tuple[int, str]:
    answers = json.loads(path.read_text())
    answer = answers.get(name, answers.get("*"))
    return answer["exit"], json.dumps(answer["report"])


def read(case: Case, code: int | None, text: str) -> Outcome:
    """The outcome that a report tells; trouble where it breaks the contract."""
    if code is None:
        return Outcome(case, trouble="took too long")
    try:
        report = json.loads(text)
        findings = [{"check": f["check"], "severity": f["severity"]} for f in report["findings"]]
        checks = {check["check"]: check["status"] for check in report["checks"]}
    except (ValueError, KeyError, TypeError):
        return Outcome(case, trouble=f"exit {code}, no report: {' '.join(text.split())[:120]}")
    outcome = Outcome(case, findings, checks)
    outcome.trouble = "; ".join(breaches(outcome, code))
    return outcome


def breaches(outcome: Outcome, code: int) -> list[str]:
    """How a report contradicts itself, its exit code or the contract."""
    ids = {finding["check"] for finding in outcome.findings}
    fatal = {f["check"] for f in outcome.findings if f["severity"] == "fatal"}
    due = 3 if fatal & set(STATIC) else 4 if outcome.harmful else 0
    found = [] if code == due else [f"exit {code} instead of {due}"]
    found += [f"{name} has findings, but its status is {outcome.checks.get(name)}"
              for name in sorted(ids) if outcome.checks.get(name) != "finding"]  # fmt: skip
    found += [f"severity {f['severity']}" for f in outcome.findings if f["severity"] not in SEVERITIES]
    return found


def print_lines(outcomes: list[Outcome]) -> None:
    """A line per case."""
    rows = [("case", "expected id", "least", "found", "severity", "other fatal or high", "s", "trouble")]
    for outcome in outcomes:
        case = outcome.case
        found = "-" if case.expected is None else verdict(outcome)
        least = case.severity if case.expected else "-"
        others = ", ".join(outcome.others) or "none"
        rows.append((case.name, case.expected or "none", least, found, outcome.severity or "-", others,
                     f"{outcome.seconds:.1f}", outcome.trouble))  # fmt: skip
    print_table(rows)


def verdict(outcome: Outcome) -> str:
    """Whether the planted defect is found; where it is not, what became of its check."""
    if outcome.found:
        name = outcome.matching[0]["check"]
        return "yes" if name == outcome.case.expected else f"yes, as {name}"
    if outcome.matching:
        return "too mild"
    return f"NO ({outcome.checks.get(outcome.case.expected, 'no such check')})"


def print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for at, row in enumerate(rows):
        print(("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths))).rstrip() + " |")
        if at == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")


def print_totals(outcomes: list[Outcome]) -> None:
    """How many are found, and what is said of controls."""
    defects = [outcome for outcome in outcomes if outcome.case.expected]
    clean = [outcome for outcome in outcomes if not outcome.case.expected]
    print(f"\nfound: {sum(outcome.found for outcome in defects)} of {len(defects)} planted defects")
    print(f"planted, with other fatal or high findings: {sum(bool(outcome.others) for outcome in defects)}")
    print(f"controls with a false alarm: {sum(bool(outcome.others) for outcome in clean)} of {len(clean)}")
    print(f"with trouble: {sum(bool(outcome.trouble) for outcome in outcomes)}")
    print(f"seconds: {sum(outcome.seconds for outcome in outcomes):.0f} in all")
    followed = Counter(name for outcome in defects for name in outcome.harmful if name in outcome.case.allowed)
    print("allowed as consequences: " + (", ".join(f"{name} {n}" for name, n in followed.items()) or "none"))
    print_findings(clean)
    absent = sorted(set(expected_ids()) - {outcome.case.expected for outcome in outcomes})
    if absent:
        print(f"\nnot asked for in this run: {', '.join(absent)}")


def expected_ids() -> list[str]:
    return list(dict.fromkeys(case.expected for case in CASES if case.expected))


def print_findings(clean: list[Outcome]) -> None:
    """What is said of controls, per id and severity; high and fatal are false alarms."""
    counts = Counter((name, severity) for outcome in clean for name, severity in said(outcome))
    if not counts:
        print("\nnothing is said of controls")
        return
    print(f"\nfindings on the {len(clean)} controls (high and fatal are false alarms, but for what is rightly told):")
    names = sorted({name for name, _ in counts})
    rows = [("id", *SEVERITIES)]
    print_table(rows + [(name, *(str(counts[name, severity] or ".") for severity in SEVERITIES)) for name in names])


def said(outcome: Outcome) -> set[tuple[str, str]]:
    return {(finding["check"], finding["severity"]) for finding in outcome.findings}


def print_confusion(outcomes: list[Outcome]) -> None:
    """Rows are what is planted, columns what is called fatal or high; milder findings are not counted there."""
    planted = [name for name in expected_ids() if any(outcome.case.expected == name for outcome in outcomes)]
    columns = sorted({name for outcome in outcomes for name in outcome.harmful})
    letters = {name: f"{place + 1}" for place, name in enumerate(columns)}
    print("\nconfusion: cases by planted id (rows) and ids called fatal or high (columns)")
    print("columns: " + (", ".join(f"{letters[name]} {name}" for name in columns) or "none"))
    rows = [("planted", "cases", "found", *letters.values())]
    for name in [*planted, None]:
        group = [outcome for outcome in outcomes if outcome.case.expected == name]
        counts = [sum(column in outcome.harmful for outcome in group) for column in columns]
        found = str(sum(outcome.found for outcome in group)) if name else "-"
        rows.append((name or "(control)", str(len(group)), found, *(str(count or ".") for count in counts)))
    print_table(rows)


if __name__ == "__main__":
    sys.exit(main())
