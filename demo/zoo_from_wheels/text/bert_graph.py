"""BERT as an ONNX graph: ids and mask in, the states of all tokens after the embedding and after every layer out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper

from ..graph import Linear, Nodes, finished_model

if TYPE_CHECKING:
    from .bert import Bert, Layer, Norm

# The first with LayerNormalization.
OPERATOR_SET = 17


def to_onnx(bert: Bert, head_width: int, epsilon: float, masked: float) -> onnx.ModelProto:
    """Inputs `input_ids` and `attention_mask` (batch, sequence), int64; outputs `hidden_0`, `hidden_1`, …

    The outputs are (batch, sequence, width), float32. `masked` is added to the scores of padded tokens.
    """
    return _BertBuilder(bert, head_width, epsilon, masked).model(bert)


class _BertBuilder(Nodes):
    """Methods append what they are named after and return the name of its output."""

    def __init__(self, bert: Bert, head_width: int, epsilon: float, masked: float) -> None:
        super().__init__()
        self._width, self._epsilon = bert.words.shape[1], epsilon
        self._split = self._integers("split", [0, 0, self._width // head_width, head_width])
        self._join = self._integers("join", [0, 0, self._width])
        self._scale = self._constant("scale", np.float32(1 / math.sqrt(head_width)))
        self._root_of_two = self._constant("root_of_two", np.float32(math.sqrt(2)))
        self._one, self._half = self._constant("one", np.float32(1)), self._constant("half", np.float32(0.5))
        self._masked = self._constant("masked", np.float32(masked))

    def model(self, bert: Bert) -> onnx.ModelProto:
        """The finished model."""
        states = [self._embedding(bert)]
        hidden = self._hidden()
        for index, layer in enumerate(bert.layers, start=1):
            states.append(self._layer(states[-1], layer, hidden, f"hidden_{index}"))
        inputs = [_declared(name, TensorProto.INT64) for name in ("input_ids", "attention_mask")]
        outputs = [_declared(name, TensorProto.FLOAT, self._width) for name in states]
        return finished_model(self._graph(inputs, outputs), OPERATOR_SET)

    def _embedding(self, bert: Bert) -> str:
        words = self._node("Gather", [self._constant("words", bert.words), "input_ids"])
        bounds = self._integers("first", [0]), self._integers("one_axis", [1]), self._integers("two_axes", [2])
        length = self._node("Slice", [self._node("Shape", ["input_ids"]), *bounds[1:]])
        rows = [self._constant("positions", bert.positions), bounds[0], length, bounds[0]]
        positions = self._node("Slice", rows)
        return self._norm(self._node("Add", [words, positions]), bert.norm, "embedding.norm", "hidden_0")

    def _hidden(self) -> str:
        """What is added to the scores: 0 for real tokens, much less for padded ones; (batch, 1, 1, sequence)."""
        mask = self._node("Cast", ["attention_mask"], to=TensorProto.FLOAT)
        mask = self._node("Unsqueeze", [mask, self._integers("middle_axes", [1, 2])])
        return self._node("Mul", [self._node("Sub", [self._one, mask]), self._masked])

    def _layer(self, x: str, layer: Layer, hidden: str, output: str) -> str:
        added = self._node("Add", [x, self._attention(x, layer, hidden, output)])
        x = self._norm(added, layer.attention_norm, f"{output}.attention_norm")
        inner = self._gelu(self._linear(x, layer.widen, f"{output}.widen"))
        added = self._node("Add", [x, self._linear(inner, layer.narrow, f"{output}.narrow")])
        return self._norm(added, layer.norm, f"{output}.norm", output)

    def _attention(self, x: str, layer: Layer, hidden: str, name: str) -> str:
        query = self._heads(self._linear(x, layer.query, f"{name}.query"), [0, 2, 1, 3])
        key = self._heads(self._linear(x, layer.key, f"{name}.key"), [0, 2, 3, 1])
        value = self._heads(self._linear(x, layer.value, f"{name}.value"), [0, 2, 1, 3])
        scores = self._node("Mul", [self._node("MatMul", [query, key]), self._scale])
        shares = self._node("Softmax", [self._node("Add", [scores, hidden])], axis=-1)
        mixed = self._node("Transpose", [self._node("MatMul", [shares, value])], perm=[0, 2, 1, 3])
        return self._linear(self._node("Reshape", [mixed, self._join]), layer.attended, f"{name}.attended")

    def _heads(self, x: str, order: list[int]) -> str:
        return self._node("Transpose", [self._node("Reshape", [x, self._split])], perm=order)

    def _gelu(self, x: str) -> str:
        error = self._node("Erf", [self._node("Div", [x, self._root_of_two])])
        return self._node("Mul", [self._node("Mul", [x, self._half]), self._node("Add", [error, self._one])])

    def _linear(self, x: str, layer: Linear, name: str) -> str:
        product = self._node("MatMul", [x, self._constant(f"{name}.weight", layer.weight)])
        return self._node("Add", [product, self._constant(f"{name}.bias", layer.bias)])

    def _norm(self, x: str, norm: Norm, name: str, output: str = "") -> str:
        parts = [self._constant(f"{name}.scale", norm.scale), self._constant(f"{name}.shift", norm.shift)]
        return self._node("LayerNormalization", [x, *parts], output, axis=-1, epsilon=self._epsilon)

    def _integers(self, name: str, values: list[int]) -> str:
        return self._constant(name, np.array(values, np.int64))


def _declared(name: str, kind: int, *width: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, ["batch", "sequence", *width])
