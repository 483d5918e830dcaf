"""Layers out of a PyTorch state dict, by the names PyTorch gives their tensors."""

from __future__ import annotations

import numpy as np

from .graph import BatchNorm, Linear, NormalisedConvolution

StateDict = dict[str, np.ndarray]


def convolution(tensors: StateDict, name: str, norm_name: str, epsilon: float) -> NormalisedConvolution:
    """The convolution `name` and the batch normalisation `norm_name`."""
    scale, shift, mean, variance = (
        tensors[f"{norm_name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
    )
    return NormalisedConvolution(tensors[f"{name}.weight"], BatchNorm(scale, shift, mean, variance, epsilon))


def linear(tensors: StateDict, name: str) -> Linear:
    """The fully connected layer `name`, which PyTorch keeps as (out, in)."""
    return Linear(np.ascontiguousarray(tensors[f"{name}.weight"].T), tensors[f"{name}.bias"])
