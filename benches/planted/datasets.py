"""Small data sets, made of the given ones, for the planted cases and the controls."""

from __future__ import annotations

import csv
import hashlib
import random
import shutil
from functools import partial
from pathlib import Path

import numpy as np

from . import graphs
from .bases import PICTURES
from .cases import Bench, Site

PER_CLASS, CLASSES, ROWS = 40, 10, 600
ENDINGS = (".jpg", ".jpeg", ".png")


def class_folders(root: Path) -> dict[str, list[Path]]:
    """Pictures per class in a fixed random order; identical files of different classes are left out."""
    found = {folder.name: pictures(folder) for folder in sorted(root.iterdir()) if folder.is_dir()}
    found = {name: files for name, files in found.items() if files}
    digests: dict[str, set[str]] = {}
    for name, files in found.items():
        for file in files:
            digests.setdefault(digest(file), set()).add(str(file))
    single = {next(iter(files)) for files in digests.values() if len(files) == 1}
    clean = {name: [file for file in files if str(file) in single] for name, files in list(found.items())[:CLASSES]}
    for files in clean.values():
        random.Random(0).shuffle(files)
    return clean


def pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def parts(root: Path) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
    """Pictures per class for the vet, and others to fit heads on."""
    classes = class_folders(root)
    shown = {name: files[: min(PER_CLASS, len(files) // 2)] for name, files in classes.items()}
    return shown, {name: files[len(shown[name]) : len(shown[name]) + 80] for name, files in classes.items()}


def make_pictures(source: Path, target: Path) -> None:
    """A sample of a folder per class."""
    for name, files in parts(source)[0].items():
        (target / name).mkdir(parents=True)
        for place, file in enumerate(files):
            shutil.copy(file, target / name / f"{place:03}{file.suffix.lower()}")


def read_texts(path: Path) -> list[tuple[str, str]]:
    """Texts and labels of a table with the columns `text` and `label`."""
    with path.open(newline="", encoding="utf-8") as file:
        return [(row["text"], row["label"]) for row in csv.DictReader(file)]


def write_texts(path: Path, rows: list[tuple[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("text", "label"))
        writer.writerows(rows)


def make_texts(source: Path, target: Path) -> None:
    """A sample without repeated texts, with at most an equal share for each class."""
    rows = list({text.lower(): (text, label) for text, label in read_texts(source)}.values())
    random.Random(0).shuffle(rows)
    share, taken, sample = ROWS // len({label for _, label in rows}), {}, []
    for text, label in rows:
        taken[label] = taken.get(label, 0) + 1
        if taken[label] <= share:
            sample.append((text, label))
    write_texts(target, sample)


def shared(bench: Bench) -> None:
    """Makes what is not there yet of the data sets that cases and controls share."""
    for sets, make in ((bench.pictures, make_pictures), (bench.texts, make_texts)):
        for name, source in sets.items():
            once(bench.folder / "data" / name, partial(make, source))


def once(path: Path, make) -> None:
    """Makes a file or folder whole or not at all."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    spare = path.with_name("unfinished-" + path.name)
    shutil.rmtree(spare, ignore_errors=True)
    make(spare)
    spare.rename(path)


def sample(root: Path, n: int) -> list[Path]:
    """Pictures of all classes, in turn."""
    found = pictures(root)
    random.Random(1).shuffle(found)
    return found[:n]


def shown(site: Site, n: int = 32) -> np.ndarray:
    """Some of the shared pictures, as the model wants them."""
    return graphs.prepared(site.model, sample(site.shared / PICTURES, n))


def labels_of(files: list[Path]) -> np.ndarray:
    """A number per picture for the folder it lies in."""
    names = sorted({file.parent.name for file in files})
    return np.array([names.index(file.parent.name) for file in files])


def probe(features: np.ndarray, labels: np.ndarray, folds: int = 5) -> float:
    """Accuracy of ridge regression on one-hot classes, cross-validated."""
    order = np.random.default_rng(0).permutation(len(labels))
    right = 0
    for fold in range(folds):
        held = order[fold::folds]
        rest = np.setdiff1d(order, held)
        mean, deviation = features[rest].mean(0), features[rest].std(0) + 1e-9
        x, seen = (features[rest] - mean) / deviation, (features[held] - mean) / deviation
        one_hot = np.eye(labels.max() + 1)[labels[rest]] - 1 / (labels.max() + 1)
        inner = x @ x.T + x.shape[1] * np.eye(len(x))
        right += int(((seen @ x.T @ np.linalg.solve(inner, one_hot)).argmax(1) == labels[held]).sum())
    return right / len(labels)


def labels_of_rows(rows: list[tuple[str, str]]) -> np.ndarray:
    """A number per row for its label."""
    names = sorted({label for _, label in rows})
    return np.array([names.index(label) for _, label in rows])
