"""A small builder of ONNX graphs for convolutional networks: layers as values, batch normalisation folded away."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# Old enough for every current runtime, new enough for Clip with bounds as inputs.
OPERATOR_SET, FILE_VERSION = 13, 8


@dataclass(frozen=True)
class Convolution:
    """A square convolution; `weight` is (out, in per group, height, width), `bias` (out)."""

    weight: np.ndarray
    bias: np.ndarray

    @property
    def kernel(self) -> int:
        """Height and width of the kernel."""
        return self.weight.shape[2]


@dataclass(frozen=True)
class Linear:
    """A fully connected layer; `weight` is (in, out), `bias` (out)."""

    weight: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True)
class BatchNorm:
    """Batch normalisation at inference: scale * (x - mean) / sqrt(variance + epsilon) + shift, per channel."""

    scale: np.ndarray
    shift: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    epsilon: float

    def fold_into(self, weight: np.ndarray) -> Convolution:
        """The one convolution that equals a convolution by `weight` without bias followed by this layer."""
        factor = self.scale.astype(np.float64) / np.sqrt(self.variance.astype(np.float64) + self.epsilon)
        folded = weight * factor[:, None, None, None]
        bias = self.shift - self.mean * factor
        return Convolution(folded.astype(np.float32), bias.astype(np.float32))


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's SAME at an edge of `size` pixels: the pixels added before and after, the odd one after."""
    output = -(-size // stride)
    total = max((output - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def symmetric_padding(_size: int, kernel: int, _stride: int) -> tuple[int, int]:
    """PyTorch's usual padding: the same number of pixels on both sides, whatever the stride."""
    return kernel // 2, kernel // 2


@dataclass(frozen=True)
class NormalisedConvolution:
    """A convolution without bias and the batch normalisation that follows it; `weight` is as that of `Convolution`."""

    weight: np.ndarray
    norm: BatchNorm

    def folded(self) -> Convolution:
        """The one convolution that equals both."""
        return self.norm.fold_into(self.weight)


class Nodes:
    """Collects nodes and constants; each has the name of its output, which the methods return."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def _graph(self, inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto]) -> onnx.GraphProto:
        return helper.make_graph(self._nodes, "network", inputs, outputs, self._constants)

    def _constant(self, name: str, values: np.ndarray) -> str:
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _node(self, operator: str, inputs: list[str], output: str = "", **attributes: object) -> str:
        output = output or f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [output], output, **attributes))
        return output


class GraphBuilder(Nodes):
    """A convolutional network; every method appends what it is named after and returns the name of its output."""

    def __init__(self) -> None:
        super().__init__()
        self._bounds = [self._constant("zero", np.float32(0)), self._constant("six", np.float32(6))]

    def convolution(self, x: str, layer: Convolution, stride: int, pads: tuple[int, int], groups: int = 1) -> str:
        """The pads are before and after, the same for both axes."""
        name = f"convolution_{len(self._nodes)}"
        inputs = [x, self._constant(f"{name}.weight", layer.weight), self._constant(f"{name}.bias", layer.bias)]
        before, after = pads
        attributes = {"strides": [stride, stride], "pads": [before, before, after, after], "group": groups}
        return self._node("Conv", inputs, name, kernel_shape=[layer.kernel, layer.kernel], **attributes)

    def relu6(self, x: str) -> str:
        return self._node("Clip", [x, *self._bounds])

    def add(self, x: str, y: str) -> str:
        return self._node("Add", [x, y])

    def spatial_mean(self, x: str, output: str) -> str:
        """From (batch, channels, height, width) to (batch, channels)."""
        return self._node("Flatten", [self._node("GlobalAveragePool", [x])], output)

    def linear(self, x: str, layer: Linear, output: str) -> str:
        inputs = [x, self._constant(f"{output}.weight", layer.weight), self._constant(f"{output}.bias", layer.bias)]
        return self._node("Gemm", inputs, output)

    def model(self, input_size: int, output_widths: dict[str, int]) -> onnx.ModelProto:
        """The finished model; `output_widths` names the outputs in order."""
        outputs = [batch_of(name, width) for name, width in output_widths.items()]
        return finished_model(self._graph([picture_input(input_size)], outputs), OPERATOR_SET)


def picture_input(size: int) -> onnx.ValueInfoProto:
    """The declaration of the input every model of the zoo has."""
    return helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, size, size])


def batch_of(name: str, width: int) -> onnx.ValueInfoProto:
    """The declaration of an output (batch, width)."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])


def finished_model(graph: onnx.GraphProto, operator_set: int) -> onnx.ModelProto:
    """The graph as a checked model."""
    versions = [helper.make_opsetid("", operator_set)]
    model = helper.make_model(graph, opset_imports=versions, ir_version=FILE_VERSION, producer_name="zoo_from_wheels")
    onnx.checker.check_model(model, full_check=True)
    return model
