"""Writes a finished model as a folder in the style of Hugging Face, and tells whether one is there.

A folder is put together elsewhere and renamed, so a run that is killed leaves nothing that looks whole. It carries a
stamp: a digest of the code and the pins it was made from. A folder with another stamp is made again.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from .models import Model
from .wheels import PinnedWheel, sha256

DEMO = Path(__file__).parent.parent
STAMP, GRAPH, WEIGHTS = ".made-from", "onnx/model.onnx", "model.safetensors"

PICTURES = ("zoo_from_wheels/*.py", "requirements-weights.txt", "expected_features.json")
"""What decides the content of a folder: code, pins, facts."""


def recipe(sources: tuple[str, ...] = PICTURES) -> str:
    """The digest of everything that decides what a folder contains."""
    return sha256(b"\0".join(path.read_bytes() for pattern in sources for path in sorted(DEMO.glob(pattern))))


def is_complete(folder: Path, made_from: str, weights: str = GRAPH) -> bool:
    """Whether `folder` holds a model made by the recipe `made_from`, `weights` among its files."""
    stamp = folder / STAMP
    return stamp.is_file() and stamp.read_text() == made_from and (folder / weights).is_file()


def contents(model: Model, wheel: PinnedWheel, run_by: dict[str, bytes], licence: bytes | None) -> dict[str, bytes]:
    """The files of a model folder by their path: those it is run by, and what is said of it.

    `licence` is the wheel's own text, if it has one.
    """
    return {
        **run_by,
        "config.json": json_file(_config(model, wheel)),
        "preprocessor_config.json": json_file(model.preprocessing),
        "SHA256SUMS": digests(run_by),
        **licence_file(model.name, model.licence, wheel, licence),
        STAMP: recipe().encode(),
    }


def write(folder: Path, files: dict[str, bytes], workshop: Path) -> None:
    """Makes `folder`, replacing what is there; `workshop` is a scratch folder on the same file system."""
    draft = workshop / folder.name
    shutil.rmtree(draft, ignore_errors=True)
    for name, data in files.items():
        path = draft / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)


def licence_file(name: str, licence: str, wheel: PinnedWheel, text: bytes | None) -> dict[str, bytes]:
    """The licence that came with the wheel, or else a notice of what its metadata states."""
    if text is not None:
        return {"LICENSE": text}
    notice = (
        f"The weights of {name} come from the Python package {wheel.package} {wheel.version}.\n"
        f"Its wheel contains no licence file; its metadata states the licence {licence}.\n"
    )
    return {"NOTICE": notice.encode()}


def digests(files: dict[str, bytes]) -> bytes:
    """What `sha256sum` prints for these files."""
    return "".join(f"{sha256(data)}  {name}\n" for name, data in files.items()).encode()


def json_file(value: dict) -> bytes:
    """A JSON document, indented."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def _config(model: Model, wheel: PinnedWheel) -> dict:
    return {
        "architecture": model.architecture,
        "num_classes": model.label_count or 0,
        "num_features": model.feature_count,
        **_labels(model),
        "trained_on": model.trained_on,
        "license": model.licence,
        "source": {"package": wheel.package, "version": wheel.version, "file": model.file, "sha256": model.sha256},
    }


def _labels(model: Model) -> dict:
    if model.label_count is None:
        return {}
    names = {"id2label": {str(index): name for index, name in enumerate(model.class_names)}}
    return {"num_labels": model.label_count, **(names if model.class_names else {})}

