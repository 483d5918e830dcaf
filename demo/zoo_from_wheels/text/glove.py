"""GloVe as a table of word vectors with a tokenizer that looks words up.

Text is lower-cased and split into runs of word characters and runs of other characters. A word that has no vector gets
the number just beyond the table, and whoever embeds drops it; `unk` is an ordinary word with a vector of its own.
"""

from __future__ import annotations

import io

import numpy as np
import pyarrow.parquet
import safetensors.numpy
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace

from .. import ConversionError
from .models import TOKENIZER, WEIGHTS

UNKNOWN = "[UNK]"

TABLE = "embedding.weight"


def convert(vectors: bytes, index: bytes) -> dict[str, bytes]:
    """The files of a table: .npy (words, width) and Parquet with the words in the column `index`."""
    table = np.ascontiguousarray(np.load(io.BytesIO(vectors), allow_pickle=False), np.float32)
    words = pyarrow.parquet.read_table(io.BytesIO(index), columns=["index"]).column("index").to_pylist()
    if len(words) != len(table):
        raise ConversionError(f"there are {len(table)} vectors for {len(words)} words")
    return {WEIGHTS: safetensors.numpy.save({TABLE: table}), TOKENIZER: lookup(words).to_str().encode()}


def lookup(words: list[str]) -> Tokenizer:
    """The tokenizer that gives a word its place in `words`, and any other word the place after the last."""
    numbers = {word: number for number, word in enumerate([*words, UNKNOWN])}
    if len(numbers) != len(words) + 1:
        raise ConversionError(f"a word stands twice in the list, or {UNKNOWN} is one of them")
    tokenizer = Tokenizer(WordLevel(numbers, unk_token=UNKNOWN))
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = Whitespace()
    return tokenizer
