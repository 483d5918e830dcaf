"""Compares a converted graph with facts that another conversion of the same weights established.

`expected_features.json` holds those facts: the features that independently built reference graphs give for one
synthetic input. Numbers are compared, never digests of ONNX files: the same graph can be written in many ways.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime

from . import ConversionError

EXPECTED = Path(__file__).parent.parent / "expected_features.json"

TOLERANCE = 1e-4
"""The largest deviation allowed, relative to the largest of the numbers compared."""


def synthetic_input(size: int) -> np.ndarray:
    """A float32 tensor (1, 3, size, size) of slow waves, different in each channel, within -1 and 1.

    Channel c at row i and column j is sin(.05 (c + 1) i + .07 j) * cos(.03 (c + 1) j).
    """
    channel, row, column = np.meshgrid(np.arange(1, 4), np.arange(size), np.arange(size), indexing="ij")
    waves = np.sin(0.05 * channel * row + 0.07 * column) * np.cos(0.03 * channel * column)
    return waves[np.newaxis].astype(np.float32)


def check(name: str, graph: bytes, input_size: int) -> float:
    """Runs the graph; the largest relative deviation found, or a ConversionError if it is above the tolerance."""
    single = synthetic_input(input_size)
    features = features_of(graph, single)[0]
    fact = json.loads(EXPECTED.read_text())["models"][name]
    threefold = features_of(graph, np.concatenate([single[..., ::-1], single, -single]))[1]
    deviation = max(
        _deviation(features[: len(fact["first16"])], np.array(fact["first16"])),
        _deviation(np.linalg.norm(features), np.array(fact["l2"])),
        _deviation(threefold, features),
    )
    if not deviation <= TOLERANCE:
        raise ConversionError(
            f"{name}: the converted graph deviates by {deviation:.1e} from {EXPECTED.name} (allowed: {TOLERANCE:.0e}); "
            "nothing was written. Check the recipe of this model in zoo_from_wheels"
        )
    return deviation


def features_of(graph: bytes, pictures: np.ndarray) -> np.ndarray:
    """The features (batch, width) that onnxruntime computes."""
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return session.run(["features"], {"input": pictures})[0]


def _deviation(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())
