"""Layers out of a PyTorch state dict, by the names PyTorch gives their tensors."""

from __future__ import annotations

import numpy as np

from .graph import BatchNorm, Convolution, Linear

StateDict = dict[str, np.ndarray]


def convolution(tensors: StateDict, name: str, norm_name: str, epsilon: float) -> Convolution:
    """The convolution `name` with the batch normalisation `norm_name` folded in."""
    scale, shift, mean, variance = (
        tensors[f"{norm_name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
    )
    return BatchNorm(scale, shift, mean, variance, epsilon).fold_into(tensors[f"{name}.weight"])


def linear(tensors: StateDict, name: str) -> Linear:
    """The fully connected layer `name`, which PyTorch keeps as (out, in)."""
    return Linear(np.ascontiguousarray(tensors[f"{name}.weight"].T), tensors[f"{name}.bias"])
