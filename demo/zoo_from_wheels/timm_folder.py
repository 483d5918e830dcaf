"""The files of a network of inverted residual blocks: the ONNX graph, and its tensors by the names timm gives them.

The graph has its batch normalisations folded, the tensors have not, so that the network can be trained further. What
the tensors don't say, padding and epsilon, follows from the architecture's name: `tf_` stands for SAME padding and
epsilon 1e-3. Source of the names: `EfficientNet`, `DepthwiseSeparableConv` and `InvertedResidual` of timm 1.0.
"""

from __future__ import annotations

import numpy as np
import safetensors.numpy

from .folder import GRAPH, WEIGHTS
from .graph import Linear, NormalisedConvolution
from .inverted_residual import Block, Network, Padding, to_onnx
from .torch_layers import StateDict


def files(network: Network, input_size: int, padding: Padding) -> dict[str, bytes]:
    """The files that the network is run by, by their path."""
    graph = to_onnx(network, input_size, padding).SerializeToString()
    return {GRAPH: graph, WEIGHTS: safetensors.numpy.save(state_dict(network))}


def state_dict(network: Network) -> StateDict:
    """All tensors of the network, float32, by their names."""
    tensors = _convolution("conv_stem", "bn1", network.stem)
    for stage, blocks in enumerate(network.stages):
        for position, block in enumerate(blocks):
            tensors.update(_block(f"blocks.{stage}.{position}", block))
    tensors.update(_convolution("conv_head", "bn2", network.head))
    if network.classifier is not None:
        tensors.update(_linear("classifier", network.classifier))
    return {name: np.ascontiguousarray(tensor, np.float32) for name, tensor in tensors.items()}


def _block(name: str, block: Block) -> StateDict:
    if block.expand is None:
        layers = {"conv_dw": block.depthwise, "conv_pw": block.project}
    else:
        layers = {"conv_pw": block.expand, "conv_dw": block.depthwise, "conv_pwl": block.project}
    tensors: StateDict = {}
    for number, (layer_name, layer) in enumerate(layers.items(), 1):
        tensors.update(_convolution(f"{name}.{layer_name}", f"{name}.bn{number}", layer))
    return tensors


def _convolution(name: str, norm_name: str, layer: NormalisedConvolution) -> StateDict:
    return {
        f"{name}.weight": layer.weight,
        f"{norm_name}.weight": layer.norm.scale,
        f"{norm_name}.bias": layer.norm.shift,
        f"{norm_name}.running_mean": layer.norm.mean,
        f"{norm_name}.running_var": layer.norm.variance,
    }


def _linear(name: str, layer: Linear) -> StateDict:
    return {f"{name}.weight": layer.weight.T, f"{name}.bias": layer.bias}
