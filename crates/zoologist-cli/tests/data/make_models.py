"""Makes the small networks that the tests run: seeded random weights, a few kilobytes each.

    demo/.venv/bin/python crates/zoologist-cli/tests/data/make_models.py

Each is a picture classifier on 3 x 32 x 32 inputs: convolution, ReLU, global average pooling, matrix product.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).parent / "models"
CHANNELS = 12


def network(name, seed, *, batch="batch", features=False, channels_last=False, external=False, size=32):
    """Writes one network; `features` adds an output of that name."""
    random = np.random.default_rng(seed)
    weights = {
        "kernel": random.normal(0, 0.4, (CHANNELS, 3, 5, 5)),
        "bias": random.normal(0, 0.2, CHANNELS),
        "head": random.normal(0, 0.3, (CHANNELS, 4)),
        "head_bias": random.normal(0, 0.1, 4),
    }
    nodes = []
    picture = "input"
    if channels_last:
        nodes.append(helper.make_node("Transpose", ["input"], ["planes"], perm=[0, 3, 1, 2]))
        picture = "planes"
    nodes += [
        helper.make_node("Conv", [picture, "kernel", "bias"], ["maps"], strides=[2, 2], pads=[2, 2, 2, 2], dilations=[1, 1]),
        helper.make_node("Relu", ["maps"], ["active"]),
        helper.make_node("GlobalAveragePool", ["active"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["features" if features else "flat"]),
        helper.make_node("Gemm", ["features" if features else "flat", "head", "head_bias"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["logits"]),
    ]
    shape = [batch, size, size, 3] if channels_last else [batch, 3, size, size]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, 4])]
    if features:
        outputs.append(helper.make_tensor_value_info("features", TensorProto.FLOAT, [batch, CHANNELS]))
    initializers = [numpy_helper.from_array(value.astype(np.float32), key) for key, value in weights.items()]
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)]
    graph = helper.make_graph(nodes, name, inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    path = HERE / f"{name}.onnx"
    path.unlink(missing_ok=True)
    if external:
        data = f"{name}.onnx.data"
        (HERE / data).unlink(missing_ok=True)
        onnx.save(model, path, save_as_external_data=True, location=data, size_threshold=0)
    else:
        onnx.save(model, path)


HERE.mkdir(exist_ok=True)
network("classifier", 1)
network("with_features", 1, features=True)
network("fixed_batch", 1, batch=3)
network("channels_last", 1, channels_last=True)
network("outside_weights", 1, external=True)
network("other", 2)
network("not_finite", 3)
model = onnx.load(HERE / "not_finite.onnx")
for tensor in model.graph.initializer:
    if tensor.name == "bias":
        tensor.CopyFrom(numpy_helper.from_array(np.full(CHANNELS, np.inf, np.float32), "bias"))
onnx.save(model, HERE / "not_finite.onnx")
