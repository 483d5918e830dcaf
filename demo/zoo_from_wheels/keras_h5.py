"""Reads the weights of a Keras 3 `.h5` file without Keras, and brings kernels into the order ONNX uses."""

from __future__ import annotations

import io

import h5py
import numpy as np


def read(data: bytes) -> dict[str, np.ndarray]:
    """The weights in the file content `data`, by `layer/weight`, such as `Conv1/kernel`."""
    weights = {}

    def keep(path: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            layer, weight = path.split("/")[-2:]
            weights[f"{layer}/{weight}"] = item[()]

    with h5py.File(io.BytesIO(data), "r") as file:
        file["model_weights"].visititems(keep)
    return weights


def convolution_kernel(kernel: np.ndarray) -> np.ndarray:
    """From (height, width, in, out) to (out, in, height, width)."""
    return kernel.transpose(3, 2, 0, 1)


def depthwise_kernel(kernel: np.ndarray) -> np.ndarray:
    """From (height, width, channels, 1) to (channels, 1, height, width)."""
    return kernel.transpose(2, 3, 0, 1)
