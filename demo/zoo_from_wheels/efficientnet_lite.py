"""EfficientNet-Lite from a PyTorch state dict: inverted residual blocks without squeeze-and-excitation, ReLU6.

Trained with TensorFlow, so padding is SAME and epsilon 1e-3. Source of the names and the layout:
https://github.com/ml-illustrated/EfficientNet-Lite-PyTorch
"""

from __future__ import annotations

import onnx

from . import legacy_torch, torch_layers
from .graph import Convolution, same_padding
from .inverted_residual import Block, Network, block_strides, to_onnx
from .models import Model

EPSILON = 1e-3

BLOCKS_PER_STAGE = {
    "efficientnet_lite0": (1, 2, 2, 3, 3, 4, 1),
    "efficientnet_lite1": (1, 3, 3, 4, 4, 5, 1),
    "efficientnet_lite2": (1, 3, 3, 4, 4, 5, 1),
}


def convert(model: Model, weights: bytes) -> onnx.ModelProto:
    """The ONNX model of the legacy torch file `weights`."""
    tensors = legacy_torch.read(weights)
    strides = block_strides(BLOCKS_PER_STAGE[model.architecture])
    network = Network(
        stem=_convolution(tensors, "_conv_stem", "_bn0"),
        blocks=[_block(tensors, f"_blocks.{index}", stride) for index, stride in enumerate(strides)],
        head=_convolution(tensors, "_conv_head", "_bn1"),
        classifier=torch_layers.linear(tensors, "_fc"),
    )
    return to_onnx(network, model.input_size, same_padding)


def _block(tensors: torch_layers.StateDict, name: str, stride: int) -> Block:
    expands = f"{name}._expand_conv.weight" in tensors
    return Block(
        expand=_convolution(tensors, f"{name}._expand_conv", f"{name}._bn0") if expands else None,
        depthwise=_convolution(tensors, f"{name}._depthwise_conv", f"{name}._bn1"),
        project=_convolution(tensors, f"{name}._project_conv", f"{name}._bn2"),
        stride=stride,
    )


def _convolution(tensors: torch_layers.StateDict, name: str, norm_name: str) -> Convolution:
    return torch_layers.convolution(tensors, name, norm_name, EPSILON)
