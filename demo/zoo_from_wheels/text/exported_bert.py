"""BERT published as ONNX: the graph is kept, and its weights are taken out, by Hugging Face's names, for training.

PyTorch's export keeps the names of tables, biases and layer normalisations, behind the name of what contained the
encoder. The matrices of dense layers it transposes and renames; the bias that is added next tells whose they are.
Source of the names: `BertModel` of transformers 4, without its pooler, which the graph lacks.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import safetensors.numpy
from onnx import numpy_helper

from .. import ConversionError
from . import bert
from .models import GRAPH, TOKENIZER, WEIGHTS

PREFIX = "model.0.auto_model."
"""Sentence Transformers' name for the encoder in its pipeline."""

TABLES = ("word_embeddings", "position_embeddings", "token_type_embeddings")

DENSE_AND_NORMS = (
    "attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
    "attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm",
)  # fmt: skip
"""What a layer consists of; each has a weight and a bias."""


def convert(graph: bytes, tokenizer: bytes) -> dict[str, bytes]:
    """The graph with its weights; a numpy forward pass with them agrees with the graph, or a ConversionError."""
    tensors = state_dict(onnx.load_model_from_string(graph).graph)
    bert.check(bert.read(tensors), graph, tokenizer)
    # Readers of Hugging Face's folders ask for the format.
    weights = safetensors.numpy.save(tensors, {"format": "pt"})
    return {WEIGHTS: weights, GRAPH: graph, TOKENIZER: tokenizer}


def config(files: dict[str, bytes]) -> dict[str, float]:
    """What the weights and the graph tell of the entries of `config.json`."""
    tensors = safetensors.numpy.load(files[WEIGHTS])
    words, positions, types = (tensors[f"embeddings.{table}.weight"] for table in TABLES)
    return {
        "num_hidden_layers": _layer_count(list(tensors)),
        "intermediate_size": len(tensors["encoder.layer.0.intermediate.dense.bias"]),
        "layer_norm_eps": epsilon(onnx.load_model_from_string(files[GRAPH]).graph),
        "max_position_embeddings": len(positions),
        "type_vocab_size": len(types),
        "vocab_size": len(words),
    }


def state_dict(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    """All weights of the graph by their names; linear weights are (out, in)."""
    arrays = _weights(graph)
    named = [_named(name, array, graph) for name, array in arrays.items()]
    names = [name for name, _ in named]
    if sorted(names) != sorted(_expected_names(_layer_count(names))):
        raise ConversionError("the weights of the graph are not those of a BERT without pooler; nothing was written")
    return {name: np.ascontiguousarray(array) for name, array in named}


def epsilon(graph: onnx.GraphProto) -> float:
    """The epsilon that all layer normalisations of the graph have, as the decimal number it was written as."""
    norms = (node for node in graph.node if node.op_type == "LayerNormalization")
    found = {attribute.f for node in norms for attribute in node.attribute if attribute.name == "epsilon"}
    if len(found) != 1:
        raise ConversionError(f"the graph states {len(found)} values of epsilon instead of one; nothing was written")
    return float(str(np.float32(found.pop())))


def _weights(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    """The constants that hold weights, each of which the graph uses once; single numbers are none."""
    constants = {constant.name: numpy_helper.to_array(constant) for constant in graph.initializer}
    arrays = {name: array for name, array in constants.items() if array.size > 1 and array.dtype.kind == "f"}
    uses = Counter(name for node in graph.node for name in node.input)
    for name in arrays:
        if uses[name] != 1:
            raise ConversionError(f"the graph uses the weight {name} {uses[name]} times; nothing was written")
    return arrays


def _named(name: str, array: np.ndarray, graph: onnx.GraphProto) -> tuple[str, np.ndarray]:
    """The tensor of Hugging Face that a constant holds, with its name."""
    user = next(node for node in graph.node if name in node.input)
    if user.op_type == "MatMul" and user.input[1] == name:
        return f"{_dense_layer(user, graph)}.weight", array.T
    return name.removeprefix(PREFIX), array


def _dense_layer(product: onnx.NodeProto, graph: onnx.GraphProto) -> str:
    """The name of the layer whose bias is added to `product`."""
    (output,) = product.output
    added = [name for node in graph.node if node.op_type == "Add" and output in node.input for name in node.input]
    biases = [name for name in added if name.endswith(".bias")]
    if len(biases) != 1:
        raise ConversionError(f"no bias tells whose matrix {product.input[1]} is; nothing was written")
    return biases[0].removeprefix(PREFIX).removesuffix(".bias")


def _layer_count(names: list[str]) -> int:
    return sum(name.endswith("attention.self.query.weight") for name in names)


def _expected_names(layer_count: int) -> list[str]:
    layers = [f"encoder.layer.{index}.{part}" for index in range(layer_count) for part in DENSE_AND_NORMS]
    both = [f"{name}.{part}" for name in ("embeddings.LayerNorm", *layers) for part in ("weight", "bias")]
    return [*(f"embeddings.{table}.weight" for table in TABLES), *both]
