"""MobileNetV2 (width 1.0) from a PyTorch state dict or a Keras file.

The two frameworks agree on the layers and differ in names, padding and epsilon. Keras pads its strided depthwise
convolutions by hand, one pixel at the end: at the even edges that occur here, that is SAME padding.
"""

from __future__ import annotations

import numpy as np

from . import keras_h5, legacy_torch, timm_folder, torch_layers
from .graph import BatchNorm, Linear, NormalisedConvolution, same_padding, symmetric_padding
from .inverted_residual import Block, Network, block_strides, in_stages
from .models import Model

TORCH_EPSILON, KERAS_EPSILON = 1e-5, 1e-3

BLOCKS_PER_STAGE = (1, 2, 3, 4, 3, 3, 1)
STRIDES = block_strides(BLOCKS_PER_STAGE)


def convert_torch(model: Model, weights: bytes) -> dict[str, bytes]:
    """The files made of the legacy torch file `weights`, which has no classifier."""
    tensors = legacy_torch.read(weights)
    blocks = [_torch_block(tensors, f"features.{index}.conv", stride) for index, stride in enumerate(STRIDES, 1)]
    network = Network(
        stem=_torch_convolution(tensors, "features.0", 0),
        stages=in_stages(blocks, BLOCKS_PER_STAGE),
        head=_torch_convolution(tensors, f"features.{len(STRIDES) + 1}", 0),
        classifier=None,
    )
    return timm_folder.files(network, model.input_size, symmetric_padding)


def _torch_block(tensors: torch_layers.StateDict, name: str, stride: int) -> Block:
    # Convolution, normalisation and ReLU6 are numbered in sequence: three steps to the next convolution.
    expands = f"{name}.6.weight" in tensors
    depthwise = 3 if expands else 0
    return Block(
        expand=_torch_convolution(tensors, name, 0) if expands else None,
        depthwise=_torch_convolution(tensors, name, depthwise),
        project=_torch_convolution(tensors, name, depthwise + 3),
        stride=stride,
    )


def _torch_convolution(tensors: torch_layers.StateDict, sequence: str, position: int) -> NormalisedConvolution:
    return torch_layers.convolution(tensors, f"{sequence}.{position}", f"{sequence}.{position + 1}", TORCH_EPSILON)


def convert_keras(model: Model, weights: bytes) -> dict[str, bytes]:
    """The files made of the Keras file `weights`; its final softmax is left out, so that `logits` are logits."""
    arrays = keras_h5.read(weights)
    names = ["expanded_conv", *(f"block_{index}" for index in range(1, len(STRIDES)))]
    blocks = [_keras_block(arrays, name, stride) for name, stride in zip(names, STRIDES)]
    network = Network(
        stem=_keras_convolution(arrays, "Conv1", "bn_Conv1"),
        stages=in_stages(blocks, BLOCKS_PER_STAGE),
        head=_keras_convolution(arrays, "Conv_1", "Conv_1_bn"),
        classifier=Linear(arrays["dense/kernel"], arrays["dense/bias"]),
    )
    return timm_folder.files(network, model.input_size, same_padding)


def _keras_block(arrays: dict[str, np.ndarray], name: str, stride: int) -> Block:
    expands = f"{name}_expand/kernel" in arrays
    depthwise = keras_h5.depthwise_kernel(arrays[f"{name}_depthwise/kernel"])
    return Block(
        expand=_keras_convolution(arrays, f"{name}_expand", f"{name}_expand_BN") if expands else None,
        depthwise=NormalisedConvolution(depthwise, _keras_norm(arrays, f"{name}_depthwise_BN")),
        project=_keras_convolution(arrays, f"{name}_project", f"{name}_project_BN"),
        stride=stride,
    )


def _keras_convolution(arrays: dict[str, np.ndarray], name: str, norm_name: str) -> NormalisedConvolution:
    kernel = keras_h5.convolution_kernel(arrays[f"{name}/kernel"])
    return NormalisedConvolution(kernel, _keras_norm(arrays, norm_name))


def _keras_norm(arrays: dict[str, np.ndarray], name: str) -> BatchNorm:
    parts = (arrays[f"{name}/{part}"] for part in ("gamma", "beta", "moving_mean", "moving_variance"))
    return BatchNorm(*parts, KERAS_EPSILON)
