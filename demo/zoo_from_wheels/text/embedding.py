"""What the files of a model folder make of sentences: ids, token states, and their pooled mean and first token."""

from __future__ import annotations

import json

import numpy as np
import onnxruntime
import safetensors.numpy
from tokenizers import Tokenizer

from .models import GRAPH, TOKENIZER, WEIGHTS


def embed(files: dict[str, bytes], sentences: list[str]) -> dict[str, dict[str, np.ndarray]]:
    """Pooled states (sentences, width) by their pooling, by the name of the place in the model they are taken at.

    The sentences go through a graph together, padded, so that a mask that does not hold shows in the numbers.
    """
    if GRAPH not in files:
        return {"embedding.weight": {"mean": _means_of_rows(files, sentences)}}
    ids, mask = padded(files[TOKENIZER], sentences)
    states = run(files[GRAPH], ids, mask)
    shares = (mask / mask.sum(axis=1, keepdims=True))[..., None]
    return {name: {"mean": (found * shares).sum(axis=1), "cls": found[:, 0]} for name, found in states.items()}


def token_ids(files: dict[str, bytes], sentences: list[str]) -> list[list[int]]:
    """The ids of each sentence, without padding; special tokens are added unless `config.json` says otherwise."""
    tokenizer = _tokenizer(files[TOKENIZER])
    special = json.loads(files["config.json"]).get("add_special_tokens", True)
    return [one.ids for one in tokenizer.encode_batch(sentences, add_special_tokens=special)]


def padded(tokenizer: bytes, sentences: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Ids and mask (sentences, longest), int64."""
    together = _tokenizer(tokenizer)
    together.enable_padding()
    found = together.encode_batch(sentences)
    return np.array([one.ids for one in found]), np.array([one.attention_mask for one in found])


def run(graph: bytes, ids: np.ndarray, mask: np.ndarray) -> dict[str, np.ndarray]:
    """The token states (batch, sequence, width) by the name of the output, in the order of the outputs."""
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs() if len(output.shape) == 3]
    return dict(zip(names, session.run(names, {"input_ids": ids, "attention_mask": mask})))


def _means_of_rows(files: dict[str, bytes], sentences: list[str]) -> np.ndarray:
    table = safetensors.numpy.load(files[WEIGHTS])["embedding.weight"].astype(np.float32)
    rows = ([number for number in ids if number < len(table)] for ids in token_ids(files, sentences))
    return np.stack([table[known].mean(axis=0) for known in rows])


def _tokenizer(content: bytes) -> Tokenizer:
    """The tokenizer without the truncation and the padding that its file may ask for."""
    tokenizer = Tokenizer.from_str(content.decode())
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
