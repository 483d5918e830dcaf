"""What a planted case is, where it lies on the disk, and how a copy of a model is made for it."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SEVERITIES = ("info", "low", "medium", "high", "fatal")
HARMFUL = ("high", "fatal")
# Below this a file is not worth a hard link.
SMALL = 1 << 16
# What says where a copy came from, and would not be true of a changed copy.
LEFT_BEHIND = (".made-from", "SHA256SUMS")


class NotPlanted(Exception):
    """The defect could not be planted here, or is not there when it is measured; the message says why."""


@dataclass
class Bench:
    """What all cases share: the real models, the real data and the folder for what is planted."""

    zoo: Path
    text_zoo: Path
    folder: Path
    # The sets that were given, by their names in `data`; the first of each kind serves most cases.
    pictures: dict[str, Path]
    texts: dict[str, Path]


@dataclass
class Site:
    """The folder of one case, while it is being planted."""

    bench: Bench
    folder: Path
    final: Path
    # The name of the shared data set that the case is vetted with.
    with_data: str

    @property
    def model(self) -> Path:
        return self.folder / "model"

    @property
    def data(self) -> Path:
        """Where the case puts a data set of its own."""
        return self.folder / "data"

    @property
    def shared(self) -> Path:
        """The data sets that cases without their own share."""
        return self.bench.folder / "data"

    def settings(self, name: str = "config.json") -> dict:
        return json.loads((self.model / name).read_text())

    def set(self, name: str = "config.json", **changes) -> None:
        """Changes keys of a JSON file of the model; None removes a key."""
        changed = {**self.settings(name), **changes}
        write_json(self.model / name, {key: value for key, value in changed.items() if value is not None})


@dataclass
class Case:
    """One planted defect, or a control without any."""

    name: str
    plant: Callable[[Site], dict]
    base: str
    data: str
    expected: str | None = None
    severity: str = "info"
    # What else may be called fatal or high, as it follows from the defect.
    allowed: tuple[str, ...] = ()
    # Ids that say the same defect where the runtime refuses such a graph.
    instead: tuple[str, ...] = ()

    def folder(self, bench: Bench) -> Path:
        return bench.folder / self.name

    def is_planted(self, bench: Bench) -> bool:
        return (self.folder(bench) / "planted.json").is_file()

    def data_path(self, bench: Bench) -> Path:
        """The data set: the case's own, or the shared one."""
        own = self.folder(bench) / "data"
        single = own / "texts.csv"
        if single.is_file() and len(list(own.iterdir())) == 1:
            return single
        if own.is_dir():
            return own
        return bench.folder / "data" / json.loads((self.folder(bench) / "planted.json").read_text())["data"]


CASES: list[Case] = []


def planted(name: str, *, of: str, data: str, expected: str | None, severity: str = "info", allowed=(), instead=()):
    """Registers a function that plants the case `name` in a copy of the model `of`."""

    def register(plant: Callable[[Site], dict]) -> Callable[[Site], dict]:
        CASES.append(Case(name, plant, of, data, expected, severity, tuple(allowed), tuple(instead)))
        return plant

    return register


def source_of(case: Case, bench: Bench) -> Path:
    """The folder of the model that a case begins with."""
    found = [zoo / case.base for zoo in (bench.zoo, bench.text_zoo) if (zoo / case.base).is_dir()]
    if not found:
        raise NotPlanted(f"there is no model {case.base} in {bench.zoo} and {bench.text_zoo}")
    return found[0]


def plant(case: Case, bench: Bench) -> dict:
    """Makes the case's folder, whole or not at all; what was measured of the defect."""
    final = case.folder(bench)
    site = Site(bench, final.with_name(final.name + ".unfinished"), final, case.data)
    source = source_of(case, bench)
    shutil.rmtree(site.folder, ignore_errors=True)
    shutil.rmtree(final, ignore_errors=True)
    copy_model(source, site.model)
    measured = case.plant(site)
    share_unchanged(source, site.model)
    write_json(site.folder / "planted.json", {"data": site.with_data, "measured": measured})
    site.folder.rename(final)
    return measured


def copy_model(source: Path, target: Path) -> None:
    """A whole copy, so that nothing that is written later can reach the source."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(*LEFT_BEHIND))


def share_unchanged(source: Path, target: Path) -> None:
    """Saves disk: large files that the planting left as they were become hard links, where the disk can."""
    for path in target.rglob("*"):
        original = source / path.relative_to(target)
        if path.is_symlink() or not path.is_file() or not original.is_file() or path.stat().st_size < SMALL:
            continue
        if filecmp.cmp(original, path, shallow=False):
            link(original, path)


def link(original: Path, path: Path) -> None:
    spare = path.with_name(path.name + ".link")
    try:
        os.link(original, spare)
    except OSError:
        return
    os.replace(spare, path)


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False))
