"""EfficientNet-Lite from a PyTorch state dict: inverted residual blocks without squeeze-and-excitation, ReLU6.

Trained with TensorFlow, so padding is SAME and epsilon 1e-3. Source of the names and the layout:
https://github.com/ml-illustrated/EfficientNet-Lite-PyTorch
"""

from __future__ import annotations

from . import legacy_torch, timm_folder, torch_layers
from .graph import NormalisedConvolution, same_padding
from .inverted_residual import Block, Network, block_strides, in_stages
from .models import Model

EPSILON = 1e-3

BLOCKS_PER_STAGE = {
    "tf_efficientnet_lite0": (1, 2, 2, 3, 3, 4, 1),
    "tf_efficientnet_lite1": (1, 3, 3, 4, 4, 5, 1),
    "tf_efficientnet_lite2": (1, 3, 3, 4, 4, 5, 1),
}


def convert(model: Model, weights: bytes) -> dict[str, bytes]:
    """The files made of the legacy torch file `weights`."""
    tensors = legacy_torch.read(weights)
    counts = BLOCKS_PER_STAGE[model.architecture]
    blocks = [_block(tensors, f"_blocks.{index}", stride) for index, stride in enumerate(block_strides(counts))]
    network = Network(
        stem=_convolution(tensors, "_conv_stem", "_bn0"),
        stages=in_stages(blocks, counts),
        head=_convolution(tensors, "_conv_head", "_bn1"),
        classifier=torch_layers.linear(tensors, "_fc"),
    )
    return timm_folder.files(network, model.input_size, same_padding)


def _block(tensors: torch_layers.StateDict, name: str, stride: int) -> Block:
    expands = f"{name}._expand_conv.weight" in tensors
    return Block(
        expand=_convolution(tensors, f"{name}._expand_conv", f"{name}._bn0") if expands else None,
        depthwise=_convolution(tensors, f"{name}._depthwise_conv", f"{name}._bn1"),
        project=_convolution(tensors, f"{name}._project_conv", f"{name}._bn2"),
        stride=stride,
    )


def _convolution(tensors: torch_layers.StateDict, name: str, norm_name: str) -> NormalisedConvolution:
    return torch_layers.convolution(tensors, name, norm_name, EPSILON)
