"""PP-LCNet, published as ONNX: the graph is kept, its batch normalisations folded, its ends rebuilt under our names.

The features are taken where the published graph flattens them, after the constant factor .8 its removed dropout left.
The published end flattens by a shape computed at run time and finishes with a softmax; ours needs neither.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from .folder import GRAPH
from .graph import BatchNorm, batch_of, finished_model, picture_input
from .models import Model

TOP_OF_BODY = "p2o.pd_op.dropout.0.0"
"""The published graph's features as (batch, channels, 1, 1); what follows is its end."""
CLASSIFIER = ["linear_0.w_0_deepcopy_144", "linear_0.b_0_deepcopy_145"]
"""Weight (in, out) and bias of the classifier."""


def convert(model: Model, weights: bytes) -> dict[str, bytes]:
    """The files made of the published ONNX file `weights`."""
    published = onnx.load_model_from_string(weights)
    arrays = {constant.name: numpy_helper.to_array(constant) for constant in published.graph.initializer}
    body = _folded(_body(published.graph), arrays)
    nodes = [
        helper.make_node("Identity", ["input"], [published.graph.input[0].name]),
        *body,
        helper.make_node("Flatten", [TOP_OF_BODY], ["features"]),
        helper.make_node("Gemm", ["features", *CLASSIFIER], ["logits"]),
    ]
    used = {name for node in nodes for name in node.input}
    constants = [numpy_helper.from_array(array, name) for name, array in arrays.items() if name in used]
    outputs = [batch_of("logits", model.label_count), batch_of("features", arrays[CLASSIFIER[0]].shape[0])]
    graph = helper.make_graph(nodes, "network", [picture_input(model.input_size)], outputs, constants)
    return {GRAPH: finished_model(graph, published.opset_import[0].version).SerializeToString()}


def _body(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    last = next(index for index, node in enumerate(graph.node) if TOP_OF_BODY in node.output)
    return list(graph.node[: last + 1])


def _folded(nodes: list[onnx.NodeProto], arrays: dict[str, np.ndarray]) -> list[onnx.NodeProto]:
    """The nodes without batch normalisations, each of which directly follows its convolution; changes `arrays`."""
    kept: list[onnx.NodeProto] = []
    for node in nodes:
        if node.op_type == "BatchNormalization":
            _fold(node, kept[-1], arrays)
        else:
            kept.append(node)
    return kept


def _fold(norm: onnx.NodeProto, convolution: onnx.NodeProto, arrays: dict[str, np.ndarray]) -> None:
    epsilon = next(attribute.f for attribute in norm.attribute if attribute.name == "epsilon")
    weight_name, bias_name = convolution.input[1], norm.input[2]
    folded = BatchNorm(*(arrays[name] for name in norm.input[1:]), epsilon).fold_into(arrays[weight_name])
    arrays[weight_name], arrays[bias_name] = folded.weight, folded.bias
    convolution.input.append(bias_name)
    convolution.output[0] = norm.output[0]
