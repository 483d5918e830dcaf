"""Defects of text models: padding, pooling, tokenizers, tables of embeddings, lengths."""

from __future__ import annotations

import json
import random
import re
from collections import Counter

import numpy as np
import onnx
from onnx import TensorProto, helper
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from . import graphs
from .bases import MINILM, TEXTS, WORDLLAMA
from .cases import Site, planted, write_json
from .datasets import labels_of_rows, probe, read_texts, write_texts
from .graphs import append, array, put, require
from .weights import change_safetensors

STATES, IDS, MASK = "hidden_6", "input_ids", "attention_mask"
WORDS = "words"


def tokenizer(site: Site) -> Tokenizer:
    found = Tokenizer.from_file(str(site.model / "tokenizer.json"))
    found.no_padding()
    found.no_truncation()
    return found


def lines(site: Site) -> list[str]:
    return [text for text, _ in read_texts(site.shared / TEXTS)]


def encoded(site: Site, texts: list[str], length: int = 0) -> dict[str, np.ndarray]:
    """Ids and mask, padded with id 0 to the longest or to `length`."""
    rows = [encoding.ids[:256] for encoding in tokenizer(site).encode_batch(texts)]
    length = max(length, max(map(len, rows)))
    ids = np.array([row + [0] * (length - len(row)) for row in rows], np.int64)
    mask = np.array([[1] * len(row) + [0] * (length - len(row)) for row in rows], np.int64)
    return {IDS: ids, MASK: mask}


def outputs_only(model: onnx.ModelProto, *names: str) -> None:
    """The graph gives these values, one vector a text, and no others."""
    del model.graph.output[:]
    for name in names:
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 384]))


def padding_moves(site: Site, model: onnx.ModelProto) -> dict:
    """What twice the length does to the pooled features."""
    ready = graphs.session(model)
    texts = lines(site)[:8]
    short = encoded(site, texts)
    long = encoded(site, texts, 2 * short[IDS].shape[1])
    last = ready.get_outputs()[-1].name
    values = [pooled(ready.run([last], given)[0], given[MASK]) for given in (short, long)]
    change = graphs.relative_error(*values)
    require(change > 1e-2, f"padding changes the features by {change} only")
    return {"padded to twice the length": change}


def pooled(values: np.ndarray, mask: np.ndarray, how: str = "mean") -> np.ndarray:
    """Vectors per text of states per token; what is a vector per text already stays."""
    if values.ndim == 2:
        return values
    if how == "cls":
        return values[:, 0]
    return (values * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)


@planted("pooling-ignores-mask", of=MINILM, data=TEXTS, expected="padding-dependence", severity="high")
def pooling_ignores_mask(site: Site) -> dict:
    """The graph takes the mean over all tokens, padding too."""
    model = graphs.load(site)
    append(model, "ReduceMean", [STATES], "sentence_embedding", axes=[1], keepdims=0)
    outputs_only(model, "sentence_embedding")
    graphs.save(site, model)
    return padding_moves(site, model)


@planted("attention-ignores-mask", of=MINILM, data=TEXTS, expected="padding-dependence", severity="high")
def attention_ignores_mask(site: Site) -> dict:
    """Every token attends to the padding; the mask is an input, and is multiplied by nothing."""
    model = graphs.load(site)
    cast = next(node for node in model.graph.node if node.op_type == "Cast" and node.input[0] == MASK)
    value = cast.output[0]
    cast.output[0] = "mask.before"
    zero, one = put(model, "mask.factor", np.float32(0)), put(model, "mask.shift", np.float32(1))
    nodes = [
        helper.make_node("Mul", ["mask.before", zero], ["mask.nothing"]),
        helper.make_node("Add", ["mask.nothing", one], [value]),
    ]
    graphs.insert_after(model, "mask.before", nodes)
    graphs.save(site, model)
    return padding_moves(site, model)


@planted("text-batch-mean", of=MINILM, data=TEXTS, expected="batch-dependence", severity="high")
def text_batch_mean(site: Site) -> dict:
    """Half of the mean over the texts of a batch is taken away from each text's masked mean."""
    model = graphs.load(site)
    mean = masked_mean(model)
    whole = append(model, "ReduceMean", [mean], "batch_mean", axes=[0], keepdims=1)
    half = append(model, "Mul", [whole, put(model, "half", np.float32(0.5))], "half_mean")
    append(model, "Sub", [mean, half], "sentence_embedding")
    outputs_only(model, "sentence_embedding")
    graphs.save(site, model)
    ready, texts = graphs.session(model), lines(site)[:8]
    together = ready.run(None, encoded(site, texts))[0]
    alone = np.concatenate([ready.run(None, encoded(site, [text]))[0] for text in texts])
    change = graphs.relative_error(together, alone)
    require(change > 1e-2, f"batches change the features by {change} only")
    return {"batch 8 against 1": change}


def masked_mean(model: onnx.ModelProto, output: str = "masked_mean") -> str:
    """Adds the mean of the states over the tokens that the mask leaves."""
    mask = append(model, "Cast", [MASK], "mask_float", to=TensorProto.FLOAT)
    column = append(model, "Unsqueeze", [mask, put(model, "last_axis", np.array([2], np.int64))], "mask_column")
    kept = append(model, "Mul", [STATES, column], "kept_states")
    axes = put(model, "length_axis", np.array([1], np.int64))
    total = append(model, "ReduceSum", [kept, axes], "total", keepdims=0)
    count = append(model, "ReduceSum", [column, axes], "count", keepdims=0)
    return append(model, "Div", [total, count], output)


@planted("control-pooled", of=MINILM, data=TEXTS, expected=None)
def control_pooled(site: Site) -> dict:
    """The graph gives the masked mean: one vector a text, whatever the padding."""
    model = graphs.load(site)
    masked_mean(model, "sentence_embedding")
    outputs_only(model, "sentence_embedding")
    graphs.save(site, model)
    ready, texts = graphs.session(model), lines(site)[:8]
    short, long = (ready.run(None, encoded(site, texts, length))[0] for length in (0, 64))
    return {"padded to 64 tokens": graphs.relative_error(short, long)}


@planted("control-safetensors", of=MINILM, data=TEXTS, expected=None)
def control_safetensors(site: Site) -> dict:
    """The same weights without ONNX beside them, as the cases of safetensors have them."""
    return {"tensors": len(change_safetensors(site, lambda found: found))}


@planted("text-nan", of=MINILM, data=TEXTS, expected="non-finite-features", severity="fatal")
def text_nan(site: Site) -> dict:
    """log(16.5 - length) is added: not a number for texts of more than 16 tokens."""
    model = graphs.load(site)
    mean = masked_mean(model)
    left = append(model, "Sub", [put(model, "bound", np.float32(16.5)), "count"], "left")
    append(model, "Add", [mean, append(model, "Log", [left], "log")], "sentence_embedding")
    outputs_only(model, "sentence_embedding")
    graphs.save(site, model)
    lengths = [len(encoding.ids) for encoding in tokenizer(site).encode_batch(lines(site))]
    share = float(np.mean(np.array(lengths) > 16.5))
    require(share > 0.01, f"only {share} of the texts are long")
    return {"share of texts": share}


def states(site: Site, rows: list[str], batch: int = 32) -> dict[str, np.ndarray]:
    """Features of texts by the mean over tokens and by the first token."""
    ready, found = graphs.session(site.model / graphs.WEIGHTS), {"mean": [], "cls": []}
    for at in range(0, len(rows), batch):
        given = encoded(site, rows[at : at + batch])
        values = ready.run([STATES], given)[0]
        for how, parts in found.items():
            parts.append(pooled(values, given[MASK], how))
    return {how: np.concatenate(parts) for how, parts in found.items()}


@planted("pooling-cls", of=MINILM, data=TEXTS, expected="pooling-mismatch", severity="medium")
def pooling_cls(site: Site) -> dict:
    """1_Pooling says cls of a model that was trained with the mean."""
    site.set("1_Pooling/config.json", pooling_mode_cls_token=True, pooling_mode_mean_tokens=False)
    rows = read_texts(site.shared / TEXTS)
    found = states(site, [text for text, _ in rows])
    return {how: probe(values, labels_of_rows(rows)) for how, values in found.items()}


@planted("dense-not-run", of=MINILM, data=TEXTS, expected="pooling-mismatch", severity="high")
def dense_not_run(site: Site) -> dict:
    """modules.json names a dense layer behind the pooling, which the features do not go through."""
    modules = json.loads((site.model / "modules.json").read_text())
    dense = {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"}
    write_json(site.model / "modules.json", [*modules[:2], dense])
    activation = "torch.nn.modules.activation.Tanh"
    settings = {"in_features": 384, "out_features": 64, "bias": True, "activation_function": activation}
    write_json(site.model / "2_Dense" / "config.json", settings)
    weights = np.random.default_rng(0).standard_t(5, (64, 384)).astype(np.float32) / 20
    tensors = {"linear.weight": weights, "linear.bias": weights[:, 0].copy()}
    save_file(tensors, site.model / "2_Dense" / "model.safetensors")
    return {}


def added(site: Site, rows: int, words: list[str]) -> None:
    """These words become tokens of their own, with ids from `rows` on."""
    settings = site.settings("tokenizer.json")
    for place, word in enumerate(words):
        token = {"id": rows + place, "content": word, "single_word": True, "lstrip": False, "rstrip": False}
        settings["added_tokens"].append({**token, "normalized": True, "special": False})
    write_json(site.model / "tokenizer.json", settings)


def words_without_id(site: Site) -> list[str]:
    """The most frequent words of the data that the vocabulary has in pieces only."""
    words = Counter(word for text in lines(site) for word in re.findall("[a-z]{4,}", text.lower()))
    vocabulary = site.settings("tokenizer.json")["model"]["vocab"]
    return [word for word, _ in words.most_common() if word not in vocabulary][:5]


def beyond(site: Site, rows: int) -> dict:
    encodings = tokenizer(site).encode_batch(lines(site))
    largest = [max(encoding.ids, default=0) for encoding in encodings]
    require(max(largest) >= rows, f"the largest id is {max(largest)} of {rows} rows")
    return {"rows": rows, "largest id": max(largest), "texts": int(sum(id >= rows for id in largest))}


@planted("tokens-added", of=MINILM, data=TEXTS, expected="token-id-range", severity="fatal")
def tokens_added(site: Site) -> dict:
    """Five words of the data have tokens behind the table's last row."""
    rows = array(graphs.load(site), WORDS).shape[0]
    added(site, rows, words_without_id(site))
    return beyond(site, rows)


@planted("token-added-unseen", of=MINILM, data=TEXTS, expected="token-id-range", severity="fatal")
def token_added_unseen(site: Site) -> dict:
    """One token too many, which no text of the data has."""
    rows = array(graphs.load(site), WORDS).shape[0]
    added(site, rows, ["zzyzxroad"])
    size = tokenizer(site).get_vocab_size(with_added_tokens=True)
    require(size == rows + 1, f"the tokenizer has {size} tokens")
    return {"rows": rows, "tokens": size}


@planted("table-truncated", of=MINILM, data=TEXTS, expected="token-id-range", severity="fatal")
def table_truncated(site: Site) -> dict:
    """The table of words ends at row 20,000, and config.json says so; the tokenizer is the old one."""
    model = graphs.load(site)
    put(model, WORDS, array(model, WORDS)[:20000])
    graphs.save(site, model)
    (site.model / "model.safetensors").unlink()
    site.set(vocab_size=20000)
    return beyond(site, 20000)


@planted("static-table-truncated", of=WORDLLAMA, data=TEXTS, expected="token-id-range", severity="fatal")
def static_table_truncated(site: Site) -> dict:
    path = site.model / "model.safetensors"
    table = load_file(path)["embedding.weight"][:25000].copy()
    path.unlink()
    save_file({"embedding.weight": table}, path)
    site.set(vocab_size=25000)
    return beyond(site, 25000)


@planted("limit-16", of=MINILM, data=TEXTS, expected="truncation-rate", severity="low")
def limit_16(site: Site) -> dict:
    return limited(site, 16, 0.05)


@planted("limit-8", of=MINILM, data=TEXTS, expected="truncation-rate", severity="medium")
def limit_8(site: Site) -> dict:
    return limited(site, 8, 0.25)


def limited(site: Site, limit: int, least: float) -> dict:
    """Texts are cut at this many tokens."""
    site.set("sentence_bert_config.json", max_seq_length=limit)
    lengths = np.array([len(encoding.ids) for encoding in tokenizer(site).encode_batch(lines(site))])
    share = float((lengths > limit).mean())
    require(share > least, f"only {share} of the texts are longer than {limit} tokens")
    return {"share of texts": share, "median tokens lost": float(np.median(lengths[lengths > limit] - limit))}


def unknown_share(site: Site, texts: list[str]) -> dict:
    encodings = tokenizer(site).encode_batch(texts, add_special_tokens=False)
    tokens = [token for encoding in encodings for token in encoding.tokens]
    share = tokens.count("[UNK]") / len(tokens)
    require(share > 0.05, f"only {share} of the tokens are unknown")
    return {"share of tokens": share}


@planted("words-removed", of=MINILM, data=TEXTS, expected="unknown-token-rate", severity="medium")
def words_removed(site: Site) -> dict:
    """Of the vocabulary every second word is left, and no pieces of words; ids stay."""
    settings = site.settings("tokenizer.json")
    vocabulary = settings["model"]["vocab"]
    kept = {word: id for word, id in vocabulary.items() if not word.startswith("##") and (id < 1000 or id % 2)}
    settings["model"]["vocab"] = kept
    write_json(site.model / "tokenizer.json", settings)
    vocab = site.model / "vocab.txt"
    vocab.unlink()
    return {"words left": len(kept), **unknown_share(site, lines(site))}


@planted("cased-tokenizer", of=MINILM, data=TEXTS, expected="unknown-token-rate", severity="medium")
def cased_tokenizer(site: Site) -> dict:
    """A vocabulary without capitals whose tokenizer does not lower them, and texts with capitals."""
    settings = site.settings("tokenizer.json")
    settings["normalizer"]["lowercase"] = False
    write_json(site.model / "tokenizer.json", settings)
    site.set("tokenizer_config.json", do_lower_case=False)
    chance = random.Random(0)
    rows = read_texts(site.shared / TEXTS)
    rows = [(" ".join(w.upper() if chance.random() < 0.4 else w for w in text.split()), label) for text, label in rows]
    write_texts(site.data / TEXTS, rows)
    return unknown_share(site, [text for text, _ in rows])


@planted("rows-equal", of=MINILM, data=TEXTS, expected="untrained-embedding-rows", severity="medium")
def rows_equal(site: Site) -> dict:
    """Words that occur have one and the same row."""
    return rewritten(site, lambda rows, table: np.repeat(table.mean(0, keepdims=True), len(rows), 0))


@planted("rows-initial", of=MINILM, data=TEXTS, expected="untrained-embedding-rows", severity="medium")
def rows_initial(site: Site) -> dict:
    """Words that occur have rows as they were before training, N(0, .02)."""
    return rewritten(site, lambda rows, table: np.random.default_rng(0).normal(0, 0.02, (len(rows), table.shape[1])))


def rewritten(site: Site, new_rows) -> dict:
    """Sets the rows of the 200 words that are frequent in the data, but not the very most frequent 20."""
    encodings = tokenizer(site).encode_batch(lines(site), add_special_tokens=False)
    ids = [id for id, _ in Counter(id for encoding in encodings for id in encoding.ids).most_common(220)[20:]]
    model = graphs.load(site)
    table = array(model, WORDS)
    table[ids] = new_rows(ids, table)
    put(model, WORDS, table)
    graphs.save(site, model)
    (site.model / "model.safetensors").unlink()
    holding = np.mean([bool(set(encoding.ids) & set(ids)) for encoding in encodings])
    return {"rows": len(ids), "share of texts": float(holding), "sd": float(table[ids].std())}


@planted("same-text-two-labels", of=WORDLLAMA, data=TEXTS, expected="contradicting-labels", severity="medium",
         allowed=("train-eval-duplicates",))  # fmt: skip
def same_text_two_labels(site: Site) -> dict:
    rows = read_texts(site.shared / TEXTS)
    classes = sorted({label for _, label in rows})
    again = [(text, classes[(classes.index(label) + 1) % len(classes)]) for text, label in rows[:5]]
    write_texts(site.data / TEXTS, rows + again)
    return {"texts": len(again)}


@planted("texts-in-both-folds", of=WORDLLAMA, data=TEXTS, expected="train-eval-duplicates", severity="high")
def texts_in_both_folds(site: Site) -> dict:
    """train.csv and test.csv; one in ten of test.csv stands in train.csv too."""
    rows = read_texts(site.shared / TEXTS)
    held, rest = rows[::4], [row for place, row in enumerate(rows) if place % 4]
    write_texts(site.data / "train.csv", rest + held[::10])
    write_texts(site.data / "test.csv", held)
    return {"evaluation items": len(held), "copied": len(held[::10])}
