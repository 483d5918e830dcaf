"""BERT out of a safetensors file with the names of Hugging Face: as numpy arrays, as a numpy forward pass, as ONNX.

The numpy forward pass shares no code with the graph, so that each checks the other. Source of the architecture: Devlin
et al., BERT, 2019, section 3, and Vaswani et al., Attention Is All You Need, 2017, section 3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import safetensors.numpy

from .. import ConversionError
from ..graph import Linear
from . import embedding
from .bert_graph import to_onnx
from .models import GRAPH, TOKENIZER, WEIGHTS
from .self_check import SENTENCES, TOLERANCE

HEAD_WIDTH = 32
"""MiniLM's; the weights do not tell it."""

EPSILON = 1e-12

MASKED = -1e9
"""Added to the scores of padded tokens."""


@dataclass(frozen=True)
class Norm:
    """Layer normalisation over the features."""

    scale: np.ndarray
    shift: np.ndarray


@dataclass(frozen=True)
class Layer:
    """One layer: attention, then two linear layers, each added to its input and normalised."""

    query: Linear
    key: Linear
    value: Linear
    attended: Linear
    attention_norm: Norm
    widen: Linear
    narrow: Linear
    norm: Norm


@dataclass(frozen=True)
class Bert:
    """The encoder; the row of token type 0 is part of `positions`."""

    words: np.ndarray
    positions: np.ndarray
    norm: Norm
    layers: list[Layer]


def convert(weights: bytes, tokenizer: bytes) -> dict[str, bytes]:
    """The weights with a graph made of them; the graph agrees with the numpy forward pass, or a ConversionError."""
    bert = read(safetensors.numpy.load(weights))
    graph = to_onnx(bert, HEAD_WIDTH, EPSILON, MASKED).SerializeToString()
    check(bert, graph, tokenizer)
    return {WEIGHTS: weights, GRAPH: graph, TOKENIZER: tokenizer}


def check(bert: Bert, graph: bytes, tokenizer: bytes) -> None:
    """Compares the states that the graph gives, of all layers or of the last ones, with the numpy forward pass."""
    ids, mask = embedding.padded(tokenizer, SENTENCES)
    found = list(embedding.run(graph, ids, mask).values())
    expected = hidden_states(bert, ids, mask)[-len(found) :]
    real = mask.astype(bool)
    deviation = max(float(np.abs(one[real] - other[real]).max()) for one, other in zip(found, expected))
    if not deviation <= TOLERANCE:
        raise ConversionError(f"the graph deviates by {deviation:.1e} from the numpy forward pass; nothing was written")


def read(tensors: dict[str, np.ndarray]) -> Bert:
    """The encoder in `tensors`; the pooler is left aside."""
    count = sum(name.endswith("attention.self.query.weight") for name in tensors)
    types = tensors["embeddings.token_type_embeddings.weight"]
    return Bert(
        words=tensors["embeddings.word_embeddings.weight"],
        positions=tensors["embeddings.position_embeddings.weight"] + types[0],
        norm=_norm(tensors, "embeddings.LayerNorm"),
        layers=[_layer(tensors, f"encoder.layer.{index}") for index in range(count)],
    )


def _layer(tensors: dict[str, np.ndarray], name: str) -> Layer:
    return Layer(
        query=_linear(tensors, f"{name}.attention.self.query"),
        key=_linear(tensors, f"{name}.attention.self.key"),
        value=_linear(tensors, f"{name}.attention.self.value"),
        attended=_linear(tensors, f"{name}.attention.output.dense"),
        attention_norm=_norm(tensors, f"{name}.attention.output.LayerNorm"),
        widen=_linear(tensors, f"{name}.intermediate.dense"),
        narrow=_linear(tensors, f"{name}.output.dense"),
        norm=_norm(tensors, f"{name}.output.LayerNorm"),
    )


def _linear(tensors: dict[str, np.ndarray], name: str) -> Linear:
    return Linear(np.ascontiguousarray(tensors[f"{name}.weight"].T), tensors[f"{name}.bias"])


def _norm(tensors: dict[str, np.ndarray], name: str) -> Norm:
    return Norm(tensors[f"{name}.weight"], tensors[f"{name}.bias"])


def hidden_states(bert: Bert, ids: np.ndarray, mask: np.ndarray) -> list[np.ndarray]:
    """The output (batch, sequence, width) of the embedding and of every layer, in double precision."""
    x = bert.words[ids].astype(np.float64) + bert.positions[: ids.shape[1]]
    states = [_normalised(x, bert.norm)]
    hidden = (1 - mask[:, None, None, :]) * MASKED
    for layer in bert.layers:
        x = _normalised(states[-1] + _attention(states[-1], layer, hidden), layer.attention_norm)
        inner = _gelu(_applied(layer.widen, x))
        states.append(_normalised(x + _applied(layer.narrow, inner), layer.norm))
    return states


def _attention(x: np.ndarray, layer: Layer, hidden: np.ndarray) -> np.ndarray:
    query, key, value = (_heads(_applied(part, x)) for part in (layer.query, layer.key, layer.value))
    scores = np.einsum("bhqd,bhkd->bhqk", query, key) / math.sqrt(HEAD_WIDTH) + hidden
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    mixed = np.einsum("bhqk,bhkd->bqhd", shares, value)
    return _applied(layer.attended, mixed.reshape(x.shape))


def _heads(x: np.ndarray) -> np.ndarray:
    return x.reshape(*x.shape[:2], -1, HEAD_WIDTH).transpose(0, 2, 1, 3)


def _applied(layer: Linear, x: np.ndarray) -> np.ndarray:
    return x @ layer.weight + layer.bias


def _gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def _normalised(x: np.ndarray, norm: Norm) -> np.ndarray:
    centred = x - x.mean(axis=-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + EPSILON)
    return centred / deviation * norm.scale + norm.shift
