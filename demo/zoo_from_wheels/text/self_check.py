"""Compares a converted text model with the facts in `expected_text.json`: ids exactly, pooled states to 1e-4.
"""

from __future__ import annotations

import json

import numpy as np

from .. import ConversionError
from ..folder import DEMO
from . import embedding

EXPECTED = DEMO / "expected_text.json"

TOLERANCE = 1e-4
"""The largest deviation allowed, absolute."""

SENTENCES = [
    "A man is playing a guitar on stage.",
    "Someone performs guitar music in front of an audience.",
    "The stock market fell sharply after the bank's report.",
    "What is the capital of France?",
    "naïve café – zoologists don't misclassify axolotls",
]

KEPT = 16
"""How many values of each vector the facts keep, besides its norm."""


def check(name: str, files: dict[str, bytes]) -> float:
    """The largest deviation of a model from its facts, or a ConversionError if it is above the tolerance."""
    expected = json.loads(EXPECTED.read_text())["models"][name]
    found = facts(files)
    if found["ids"] != expected["ids"]:
        raise ConversionError(f"the tokenizer gives other ids than {EXPECTED.name} states; nothing was written")
    deviation = max(
        _deviation(found["states"][place][pooling], vectors)
        for place, poolings in expected["states"].items()
        for pooling, vectors in poolings.items()
    )
    if not deviation <= TOLERANCE:
        raise ConversionError(f"deviates by {deviation:.1e} from {EXPECTED.name} (allowed: {TOLERANCE:.0e})")
    return deviation


def facts(files: dict[str, bytes]) -> dict:
    """Ids and, by place and pooling, the first values and the norm of each sentence."""
    states = embedding.embed(files, SENTENCES)
    return {
        "ids": embedding.token_ids(files, SENTENCES),
        "states": {
            place: {pooling: [_vector(row) for row in rows] for pooling, rows in poolings.items()}
            for place, poolings in states.items()
        },
    }


def _vector(row: np.ndarray) -> dict:
    return {"first16": [_short(value) for value in row[:KEPT]], "l2": _short(np.linalg.norm(row))}


def _short(value: float) -> float:
    return float(f"{value:.7g}")


def _deviation(found: list[dict], expected: list[dict]) -> float:
    pairs = list(zip(found, expected))
    return max(float(np.abs(np.subtract(one[key], other[key])).max()) for one, other in pairs for key in other)
