"""Tests of the converter's parts. Run in `demo/` with the tools: `.venv/bin/python -m unittest`."""

from __future__ import annotations

import collections
import dataclasses
import functools
import io
import itertools
import pickle
import struct
import sys
import tempfile
import types
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import onnx
import safetensors.numpy
from onnx import numpy_helper

from zoo_from_wheels import ConversionError, folder, legacy_torch, timm_folder
from zoo_from_wheels.graph import (
    BatchNorm,
    Convolution,
    GraphBuilder,
    Linear,
    NormalisedConvolution,
    same_padding,
    symmetric_padding,
)
from zoo_from_wheels.inverted_residual import Block, Network, block_strides, in_stages, to_onnx
from zoo_from_wheels.self_check import features_of


class FloatStorage:
    """Stands for torch's class of that name, so that torch's files can be written without torch."""

    __module__ = "torch"


def _rebuild_tensor_v2(*_parts: object) -> None:
    """Stands for torch's function of that name."""


_rebuild_tensor_v2.__module__ = "torch._utils"

TORCH = {
    "torch": types.SimpleNamespace(FloatStorage=FloatStorage),
    "torch._utils": types.SimpleNamespace(_rebuild_tensor_v2=_rebuild_tensor_v2),
}


def legacy_file(elements: list[float], offset: int, shape: tuple, strides: tuple) -> bytes:
    """A legacy torch file with one tensor `weight`, a view of one storage."""
    storage = Persistent(("storage", FloatStorage, "7", "cpu", len(elements), None))
    state = collections.OrderedDict(weight=Call(_rebuild_tensor_v2, (storage, offset, shape, strides, False, None)))
    with mock.patch.dict(sys.modules, TORCH):
        pickles = [pickled(value) for value in (legacy_torch.MAGIC, 1001, {"little_endian": True}, state, ["7"])]
    return b"".join(pickles) + struct.pack("<q", len(elements)) + np.array(elements, "<f4").tobytes()


class Persistent:
    """Pickled as a reference to something outside the pickle."""

    def __init__(self, identifier: tuple) -> None:
        self.identifier = identifier


class Call:
    """Pickled as the call of a function."""

    def __init__(self, function: object, arguments: tuple) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple:
        return self._call


def pickled(value: object) -> bytes:
    class Pickler(pickle.Pickler):
        def persistent_id(self, item: object) -> object:
            return item.identifier if isinstance(item, Persistent) else None

    stream = io.BytesIO()
    Pickler(stream, protocol=2).dump(value)
    return stream.getvalue()


class LegacyTorch(unittest.TestCase):
    def test_a_transposed_tensor_is_read_by_its_strides(self) -> None:
        data = legacy_file([9, 0, 1, 2, 3, 4, 5], offset=1, shape=(3, 2), strides=(1, 3))
        expected = np.array([[0, 3], [1, 4], [2, 5]], np.float32)
        np.testing.assert_array_equal(legacy_torch.read(data)["weight"], expected)

    def test_a_tensor_beyond_its_storage_is_refused(self) -> None:
        for offset, shape, strides in [(1, (3, 2), (2, 1)), (0, (7,), (1,)), (0, (2,), (-1,)), (-1, (2,), (1,))]:
            with self.subTest(offset=offset, shape=shape, strides=strides):
                data = legacy_file([0, 1, 2, 3, 4, 5], offset, shape, strides)
                with self.assertRaisesRegex(ConversionError, "beyond its 6 elements"):
                    legacy_torch.read(data)

    def test_a_pickle_that_calls_anything_else_is_refused_before_the_call(self) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            victim = Path(scratch) / "made-by-the-pickle"
            data = pickled(legacy_torch.MAGIC) + pickled(Call(open, (str(victim), "w")))
            with self.assertRaisesRegex(ConversionError, r"io\.open"):
                legacy_torch.read(data)
            self.assertFalse(victim.exists())

    def test_another_kind_of_file_is_refused(self) -> None:
        with self.assertRaisesRegex(ConversionError, "magic number"):
            legacy_torch.read(pickled({"weight": 1}))


class Padding(unittest.TestCase):
    def test_same_padding_puts_the_odd_pixel_at_the_end(self) -> None:
        # Edge, kernel, stride; the strided cases are layers of EfficientNet-Lite 0, 1 and 2.
        cases = {
            (224, 3, 2): (0, 1),
            (56, 5, 2): (1, 2),
            (15, 5, 2): (2, 2),
            (65, 5, 2): (2, 2),
            (33, 3, 2): (1, 1),
            (14, 3, 1): (1, 1),
            (14, 5, 1): (2, 2),
            (14, 1, 1): (0, 0),
        }
        for layer, expected in cases.items():
            with self.subTest(layer=layer):
                self.assertEqual(same_padding(*layer), expected)

    def test_symmetric_padding_is_equal_on_both_sides_whatever_the_stride(self) -> None:
        self.assertEqual([symmetric_padding(224, 3, stride) for stride in (1, 2)], [(1, 1), (1, 1)])


class Folding(unittest.TestCase):
    def test_a_folded_convolution_equals_convolution_then_normalisation(self) -> None:
        random = np.random.default_rng(0)
        pixels, weight = random.normal(size=(5, 3)), random.normal(size=(4, 3, 1, 1)).astype(np.float32)
        scale, shift, mean = random.normal(size=(3, 4))
        variance = random.uniform(1e-3, 2, size=4)
        convolved = pixels @ weight[:, :, 0, 0].T
        expected = scale * (convolved - mean) / np.sqrt(variance + 1e-3) + shift
        folded = BatchNorm(scale, shift, mean, variance, epsilon=1e-3).fold_into(weight)
        found = pixels @ folded.weight[:, :, 0, 0].T + folded.bias
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def normalised(outputs: int, inputs: int, kernel: int = 1, seed: int = 0) -> NormalisedConvolution:
    """A random convolution and normalisation; `inputs` per group."""
    random = np.random.default_rng(seed)
    scale, shift, mean, variance = random.uniform(0.5, 2, size=(4, outputs)).astype(np.float32)
    weight = random.normal(size=(outputs, inputs, kernel, kernel)).astype(np.float32)
    return NormalisedConvolution(weight, BatchNorm(scale, shift, mean, variance, epsilon=1e-3))


def small_network() -> Network:
    """Two stages: a block that does not widen, then one that narrows the picture and one that is added to its input."""
    layers = (functools.partial(normalised, seed=seed) for seed in itertools.count())
    first = Block(None, next(layers)(4, 1, 3), next(layers)(2, 4), 1)
    second = Block(next(layers)(6, 2), next(layers)(6, 1, 5), next(layers)(3, 6), 2)
    third = Block(next(layers)(9, 3), next(layers)(9, 1, 3), next(layers)(3, 9), 1)
    classifier = Linear(np.float32([[1, 2, 3]] * 5), np.float32([4, 5, 6]))
    return Network(next(layers)(4, 3, 3), [[first], [second, third]], next(layers)(5, 3), classifier)


class Tensors(unittest.TestCase):
    """`model.safetensors` beside the graph. The names of the layers, in the order of the graph, are timm's."""

    LAYERS = (
        ("conv_stem", "bn1"),
        ("blocks.0.0.conv_dw", "blocks.0.0.bn1"),
        ("blocks.0.0.conv_pw", "blocks.0.0.bn2"),
        ("blocks.1.0.conv_pw", "blocks.1.0.bn1"),
        ("blocks.1.0.conv_dw", "blocks.1.0.bn2"),
        ("blocks.1.0.conv_pwl", "blocks.1.0.bn3"),
        ("blocks.1.1.conv_pw", "blocks.1.1.bn1"),
        ("blocks.1.1.conv_dw", "blocks.1.1.bn2"),
        ("blocks.1.1.conv_pwl", "blocks.1.1.bn3"),
        ("conv_head", "bn2"),
    )
    NORM = ("weight", "bias", "running_mean", "running_var")

    def setUp(self) -> None:
        files = timm_folder.files(small_network(), 8, same_padding)
        self.tensors = safetensors.numpy.load(files[folder.WEIGHTS])
        graph = onnx.load_model_from_string(files[folder.GRAPH]).graph
        constants = {constant.name: numpy_helper.to_array(constant) for constant in graph.initializer}
        self.layers = [
            [constants[name] for name in node.input[1:]] for node in graph.node if node.op_type in ("Conv", "Gemm")
        ]

    def test_their_folding_gives_the_convolutions_of_the_graph(self) -> None:
        self.assertEqual(len(self.layers), len(self.LAYERS) + 1)
        for (name, norm_name), (weight, bias) in zip(self.LAYERS, self.layers):
            norm = BatchNorm(*(self.tensors[f"{norm_name}.{part}"] for part in self.NORM), epsilon=1e-3)
            folded = norm.fold_into(self.tensors[f"{name}.weight"])
            with self.subTest(layer=name):
                np.testing.assert_array_equal(folded.weight, weight)
                np.testing.assert_array_equal(folded.bias, bias)

    def test_the_classifier_is_turned_as_torch_keeps_it(self) -> None:
        weight, bias = self.layers[-1]
        np.testing.assert_array_equal(self.tensors["classifier.weight"].T, weight)
        np.testing.assert_array_equal(self.tensors["classifier.bias"], bias)

    def test_there_are_no_others_and_all_are_float32(self) -> None:
        expected = [f"{name}.weight" for name, _ in self.LAYERS]
        expected += [f"{norm_name}.{part}" for _, norm_name in self.LAYERS for part in self.NORM]
        self.assertEqual(sorted(self.tensors), sorted([*expected, "classifier.weight", "classifier.bias"]))
        self.assertEqual({tensor.dtype.name for tensor in self.tensors.values()}, {"float32"})

    def test_without_a_classifier_they_end_at_the_head(self) -> None:
        tensors = timm_folder.state_dict(dataclasses.replace(small_network(), classifier=None))
        self.assertEqual(sorted(set(self.tensors) - set(tensors)), ["classifier.bias", "classifier.weight"])


class Graph(unittest.TestCase):
    def test_a_strided_convolution_places_its_padding_as_asked(self) -> None:
        ones = Convolution(np.ones((1, 3, 3, 3), np.float32), np.zeros(1, np.float32))
        # One bright column, off the centre, tells the sides apart. A window sums .3 for each row in which it sees it.
        picture = np.broadcast_to(np.float32([0, 0, 0.1, 0]), (1, 3, 4, 4))
        for pads, expected in [((0, 0), 0.9), ((0, 1), (2 * 0.9 + 2 * 0.6) / 4), ((1, 0), (0.9 + 0.6) / 4)]:
            builder = GraphBuilder()
            builder.spatial_mean(builder.relu6(builder.convolution("input", ones, 2, pads)), "features")
            graph = builder.model(4, {"features": 1}).SerializeToString()
            with self.subTest(pads=pads):
                self.assertAlmostEqual(float(features_of(graph, picture)[0, 0]), expected, places=5)

    def test_a_block_is_added_to_its_input_only_where_the_shape_is_kept(self) -> None:
        for stride, outputs, additions in [(1, 2, 1), (2, 2, 0), (1, 3, 0)]:
            block = Block(None, normalised(2, 1, 3), normalised(outputs, 2), stride)
            network = Network(normalised(2, 3, 3), [[block]], normalised(4, outputs), None)
            model = to_onnx(network, 8, same_padding)
            with self.subTest(stride=stride, outputs=outputs):
                self.assertEqual(sum(node.op_type == "Add" for node in model.graph.node), additions)
                self.assertEqual([output.name for output in model.graph.output], ["features"])
                onnx.checker.check_model(model, full_check=True)

    def test_only_the_first_block_of_a_stage_is_strided(self) -> None:
        self.assertEqual(block_strides((1, 2, 2, 3, 1, 1, 1)), [1, 2, 1, 2, 1, 2, 1, 1, 1, 2, 1])

    def test_blocks_are_put_into_their_stages_in_order(self) -> None:
        self.assertEqual(in_stages("abcdef", (1, 2, 3)), ["a", "bc", "def"])


class Folder(unittest.TestCase):
    def test_a_folder_counts_as_complete_only_with_its_stamp_and_its_graph(self) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            model, workshop = Path(scratch) / "zoo" / "model", Path(scratch) / "unfinished"
            self.assertFalse(folder.is_complete(model, "recipe"))
            folder.write(model, {folder.GRAPH: b"graph", folder.STAMP: b"recipe"}, workshop)
            self.assertTrue(folder.is_complete(model, "recipe"))
            self.assertFalse(folder.is_complete(model, "another recipe"))
            folder.write(model, {folder.STAMP: b"recipe"}, workshop)
            self.assertFalse(folder.is_complete(model, "recipe"))


if __name__ == "__main__":
    unittest.main()
