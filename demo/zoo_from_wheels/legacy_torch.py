"""Reads the tensors of a legacy torch file (`torch.save` before version 1.6) without torch and without running code.

The file is a sequence of pickles: a magic number, the protocol version, a description of the writing machine, the
state dict, the keys of the storages in file order; then, for each key, a little-endian count and the raw elements.
A pickle can name any function to be called, so the reader allows the few names a state dict needs and refuses the rest.

Tensors are views of their storage, and some are stored transposed: ignoring the strides would load noise silently.
"""

from __future__ import annotations

import collections
import io
import pickle
import struct
from dataclasses import dataclass

import numpy as np

from . import ConversionError

MAGIC = 0x1950A86A20F9469CFC6C

_ELEMENT_TYPES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "LongStorage": "<i8"}


@dataclass(frozen=True)
class _Storage:
    """A run of elements that follows the pickles; tensors refer to it by its key."""

    key: str
    element_type: np.dtype


@dataclass(frozen=True)
class _View:
    """A tensor before its storage is read. Offset and strides count elements, as torch does."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def of(self, elements: np.ndarray) -> np.ndarray:
        """The tensor as a contiguous array; its view must lie within `elements`."""
        furthest = self.offset + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides))
        if min((self.offset, *self.shape, *self.strides)) < 0 or furthest >= len(elements):
            raise ConversionError(f"storage {self.storage.key}: a tensor reaches beyond its {len(elements)} elements")
        strides = [stride * elements.itemsize for stride in self.strides]
        view = np.lib.stride_tricks.as_strided(elements[self.offset :], self.shape, strides)
        return np.ascontiguousarray(view).reshape(self.shape)


def _rebuild_tensor(storage: _Storage, offset: int, shape: tuple, strides: tuple, *_ignored: object) -> _View:
    return _View(storage, offset, tuple(shape), tuple(strides))


def _rebuild_parameter(data: _View, *_ignored: object) -> _View:
    return data


_ALLOWED = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    **{("torch", name): np.dtype(element_type) for name, element_type in _ELEMENT_TYPES.items()},
}


class _AllowListUnpickler(pickle.Unpickler):
    """An unpickler that knows the names in `_ALLOWED` and no others."""

    def find_class(self, module: str, name: str) -> object:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise ConversionError(f"the pickle asks for {module}.{name}, which a state dict does not need") from None

    def persistent_load(self, identifier: tuple) -> _Storage:
        kind, element_type, key = identifier[:3]
        if kind != "storage" or not isinstance(element_type, np.dtype):
            raise ConversionError(f"the pickle refers to a {kind!r}; only storages are known")
        return _Storage(key, element_type)


def read(data: bytes) -> dict[str, np.ndarray]:
    """The tensors of the state dict in the file content `data`, by name."""
    stream = io.BytesIO(data)
    if _next_pickle(stream) != MAGIC:
        raise ConversionError("not a legacy torch file: its magic number is missing")
    _protocol_version, _writing_machine = _next_pickle(stream), _next_pickle(stream)
    views = _next_pickle(stream)
    element_types = {view.storage.key: view.storage.element_type for view in views.values()}
    storages = {key: _next_storage(stream, element_types[key]) for key in _next_pickle(stream)}
    return {name: view.of(storages[view.storage.key]) for name, view in views.items()}


def _next_pickle(stream: io.BytesIO) -> object:
    return _AllowListUnpickler(stream).load()


def _next_storage(stream: io.BytesIO, element_type: np.dtype) -> np.ndarray:
    (count,) = struct.unpack("<q", stream.read(8))
    raw = stream.read(count * element_type.itemsize)
    return np.frombuffer(raw, element_type)
