"""Defects in files and weights, seen without a run: pickles, paths, missing, broken and untrained tensors."""

from __future__ import annotations

import os
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper
from safetensors.numpy import load_file, save_file

from . import graphs
from .bases import DOGS, LITE, MINILM, PICTURES, TEXTS, WORDLLAMA
from .cases import LEFT_BEHIND, Site, planted
from .datasets import shown
from .graphs import require

# What a file of weights beside a graph is usually called.
BESIDE = "model.onnx_data"
# What a network without knowledge leads to: its own faults, not false alarms.
OF_A_RANDOM_NETWORK = ("below-baseline", "rank-collapse", "constant-features", "dead-features")


class Command:
    """Pickled, it becomes a call of os.system; it is never unpickled here."""

    def __reduce__(self):
        return os.system, ("true",)


def without_weights(site: Site) -> None:
    shutil.rmtree(site.model / "onnx", ignore_errors=True)
    (site.model / "model.safetensors").unlink(missing_ok=True)


@planted("pickle-alone", of=DOGS, data=PICTURES, expected="unsafe-pickle", severity="fatal")
def pickle_alone(site: Site) -> dict:
    """Bare pickle, the only weights."""
    without_weights(site)
    stream = pickle.dumps({"weight": [0.0], "bias": Command()}, protocol=2)
    (site.model / "pytorch_model.bin").write_bytes(stream)
    return {"holds the name of the command's module": b"posix" in stream or b"nt" in stream}


@planted("pickle-in-zip", of=MINILM, data=TEXTS, expected="unsafe-pickle", severity="fatal")
def pickle_in_zip(site: Site) -> dict:
    """The form that torch.save writes, the only weights."""
    without_weights(site)
    write_archive(site.model / "pytorch_model.bin")
    return {"files": len(zipfile.ZipFile(site.model / "pytorch_model.bin").namelist())}


@planted("pickle-beside", of=DOGS, data=PICTURES, expected="unsafe-pickle", severity="info")
def pickle_beside(site: Site) -> dict:
    """A pickle that nobody needs, beside ONNX: no more than a remark."""
    write_archive(site.model / "pytorch_model.bin")
    return {"bytes": (site.model / "pytorch_model.bin").stat().st_size}


def write_archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"weight": Command()}, protocol=2))
        archive.writestr("archive/version", "3\n")


def external(site: Site, location: str, secret: Path, offset: int = 0) -> None:
    """The head's weights come from `secret`; the graph says that they are at `location`."""
    model = graphs.load(site)
    tensor = graphs.initializer(model, "logits.weight")
    secret.parent.mkdir(parents=True, exist_ok=True)
    secret.write_bytes(tensor.raw_data)
    length = len(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        tensor.external_data.append(onnx.StringStringEntryProto(key=key, value=str(value)))
    graphs.save(site, model, checked=False)


@planted("external-parent", of=DOGS, data=PICTURES, expected="external-data-path", severity="fatal")
def external_parent(site: Site) -> dict:
    """`../secret.bin`, outside the model's folder."""
    external(site, "../secret.bin", site.folder / "secret.bin")
    (site.model / "onnx" / "model.onnx").rename(site.model / "model.onnx")
    (site.model / "onnx").rmdir()
    return {"the file is there": (site.model / "../secret.bin").is_file()}


@planted("external-absolute", of=DOGS, data=PICTURES, expected="external-data-path", severity="fatal")
def external_absolute(site: Site) -> dict:
    external(site, str((site.final / "secret.bin").resolve()), site.folder / "secret.bin")
    return {"location": str((site.final / "secret.bin").resolve())}


@planted("external-symlink", of=DOGS, data=PICTURES, expected="external-data-path", severity="fatal")
def external_symlink(site: Site) -> dict:
    """The name is harmless, but it is a symbolic link that leads outside."""
    external(site, BESIDE, site.folder / "secret.bin")
    (site.model / "onnx" / BESIDE).symlink_to("../../secret.bin")
    return {"the link leads to a file": (site.model / "onnx" / BESIDE).is_file()}


@planted("external-beyond-end", of=DOGS, data=PICTURES, expected="external-data-path", severity="fatal")
def external_beyond_end(site: Site) -> dict:
    """Offset and length reach behind the end of the file."""
    external(site, BESIDE, site.model / "onnx" / BESIDE, offset=4096)
    return {"refused": graphs.refused(site.model / graphs.WEIGHTS)}


@planted("control-external", of=DOGS, data=PICTURES, expected=None)
def external_beside(site: Site) -> dict:
    """Weights in a file beside the graph are no defect."""
    external(site, BESIDE, site.model / "onnx" / BESIDE)
    graphs.session(site.model / graphs.WEIGHTS)
    return {}


@planted("initializer-missing", of=DOGS, data=PICTURES, expected="tensor-inventory", severity="fatal")
def initializer_missing(site: Site) -> dict:
    model = graphs.load(site)
    name = graphs.convolutions(model)[5].input[1]
    graphs.remove_tensors(model, [name])
    graphs.save(site, model, checked=False)
    return {"tensor": name, "refused": graphs.refused(site.model / graphs.WEIGHTS)}


@planted("initializer-shape", of=DOGS, data=PICTURES, expected="tensor-inventory", severity="fatal")
def initializer_shape(site: Site) -> dict:
    """A convolution's weights for one input channel too few."""
    model = graphs.load(site)
    node = next(node for node in graphs.convolutions(model) if graphs.array(model, node.input[1]).shape[1] > 8)
    graphs.put(model, node.input[1], graphs.array(model, node.input[1])[:, :-1])
    graphs.save(site, model, checked=False)
    return {"tensor": node.input[1], "refused": graphs.refused(site.model / graphs.WEIGHTS, shown(site, 1))}


@planted("initializer-surplus", of=DOGS, data=PICTURES, expected="tensor-inventory", severity="info")
def initializer_surplus(site: Site) -> dict:
    """A tensor that no node reads."""
    model = graphs.load(site)
    graphs.put(model, "old_head.weight", np.random.default_rng(0).normal(0, 0.05, (19, 1280)).astype(np.float32))
    graphs.save(site, model)
    graphs.session(site.model / graphs.WEIGHTS)
    return {}


def change_safetensors(site: Site, change) -> dict[str, np.ndarray]:
    """Changes the tensors and leaves no ONNX beside them."""
    path = site.model / "model.safetensors"
    tensors = change(load_file(path))
    path.unlink()
    save_file(tensors, path, metadata={"format": "pt"})
    shutil.rmtree(site.model / "onnx", ignore_errors=True)
    return tensors


@planted("safetensors-missing", of=MINILM, data=TEXTS, expected="tensor-inventory", severity="fatal")
def safetensors_missing(site: Site) -> dict:
    name = "encoder.layer.3.intermediate.dense.weight"
    tensors = change_safetensors(site, lambda found: {key: found[key] for key in found if key != name})
    return {"tensor": name, "left": len(tensors)}


@planted("safetensors-prefix", of=MINILM, data=TEXTS, expected="tensor-inventory", severity="fatal")
def safetensors_prefix(site: Site) -> dict:
    """All names begin with a prefix of some training code."""
    tensors = change_safetensors(site, lambda found: {f"module.student.{key}": found[key] for key in found})
    return {"first": min(tensors)}


@planted("safetensors-shape", of=MINILM, data=TEXTS, expected="tensor-inventory", severity="fatal")
def safetensors_shape(site: Site) -> dict:
    """A matrix lacks a row that config.json asks for."""
    name = "encoder.layer.2.output.dense.weight"
    tensors = change_safetensors(site, lambda found: {**found, name: found[name][:-1].copy()})
    return {"tensor": name, "shape": list(tensors[name].shape)}


@planted("safetensors-surplus", of=MINILM, data=TEXTS, expected="tensor-inventory", severity="info")
def safetensors_surplus(site: Site) -> dict:
    """Layers that the architecture does not have, as an old head leaves them."""
    head = np.random.default_rng(0).normal(0, 0.05, (7, 384)).astype(np.float32)
    change_safetensors(site, lambda found: {**found, "classifier.weight": head})
    return {}


def spoil(site: Site, value: float) -> dict:
    """Sets one entry of a convolution's weights."""
    model = graphs.load(site)
    name = graphs.convolutions(model)[20].input[1]
    values = graphs.array(model, name)
    values.flat[values.size // 3] = value
    graphs.put(model, name, values)
    graphs.save(site, model)
    return {"tensor": name, "index": values.size // 3}


@planted("weight-nan", of=DOGS, data=PICTURES, expected="non-finite-weights", severity="fatal")
def weight_nan(site: Site) -> dict:
    return spoil(site, np.nan)


@planted("weight-inf", of=DOGS, data=PICTURES, expected="non-finite-weights", severity="fatal")
def weight_inf(site: Site) -> dict:
    return spoil(site, np.inf)


@planted("weight-huge", of=DOGS, data=PICTURES, expected="non-finite-weights", severity="fatal")
def weight_huge(site: Site) -> dict:
    return spoil(site, 1e35)


@planted("weight-nan-embedding", of=WORDLLAMA, data=TEXTS, expected="non-finite-weights", severity="fatal")
def weight_nan_embedding(site: Site) -> dict:
    """Half-precision NaN in one row of a table of embeddings."""

    def change(found):
        table = found["embedding.weight"].copy()
        table[12345, 7] = np.nan
        return {"embedding.weight": table}

    return {"type": str(change_safetensors(site, change)["embedding.weight"].dtype)}


def fresh(model: onnx.ModelProto, gain: float) -> None:
    """Kaiming-uniform weights, sd^2 = gain^2 / fan_in, and zero biases."""
    random = np.random.default_rng(0)
    for node in model.graph.node:
        if node.op_type not in ("Conv", "Gemm"):
            continue
        shape = graphs.array(model, node.input[1]).shape
        bound = gain * np.sqrt(3 / np.prod(shape[1:]))
        graphs.put(model, node.input[1], random.uniform(-bound, bound, shape).astype(np.float32))
        for bias in node.input[2:]:
            graphs.put(model, bias, np.zeros_like(graphs.array(model, bias)))


def untrained(site: Site, gain: float) -> dict:
    model = graphs.load(site)
    fresh(model, gain)
    graphs.save(site, model)
    features = graphs.run(model, shown(site))
    return {"mean": float(features.mean()), "effective rank": graphs.effective_rank(features)}


@planted("untrained-pictures", of=LITE, data=PICTURES, expected="untrained-weights", severity="high",
         allowed=OF_A_RANDOM_NETWORK)  # fmt: skip
def untrained_pictures(site: Site) -> dict:
    """He's gain for rectifiers."""
    return untrained(site, np.sqrt(2))


@planted("untrained-torch", of=DOGS, data=PICTURES, expected="untrained-weights", severity="high",
         allowed=OF_A_RANDOM_NETWORK)  # fmt: skip
def untrained_torch(site: Site) -> dict:
    """The bound 1/sqrt(fan_in) that PyTorch's layers begin with; signals fade from layer to layer."""
    return untrained(site, np.sqrt(1 / 3))


@planted("untrained-text", of=MINILM, data=TEXTS, expected="untrained-weights", severity="high",
         allowed=OF_A_RANDOM_NETWORK)  # fmt: skip
def untrained_text(site: Site) -> dict:
    """What transformers makes of a configuration: N(0, .02), norms 1 and 0, biases 0."""
    random = np.random.default_rng(0)

    def value(name: str, old: np.ndarray) -> np.ndarray:
        if old.dtype != np.float32:
            return old
        if name.endswith("bias"):
            return np.zeros_like(old)
        return np.ones_like(old) if "LayerNorm" in name else random.normal(0, 0.02, old.shape).astype(np.float32)

    tensors = change_safetensors(site, lambda found: {name: value(name, old) for name, old in found.items()})
    return {"sd": float(tensors["encoder.layer.1.output.dense.weight"].std())}


@planted("untrained-head", of=DOGS, data=PICTURES, expected="untrained-weights", severity="info")
def untrained_head(site: Site) -> dict:
    """Only the classifier is as it was at the start; the features are good."""
    model = graphs.load(site)
    shape = graphs.array(model, "logits.weight").shape
    bound = 1 / np.sqrt(max(shape))
    weights = np.random.default_rng(0).uniform(-bound, bound, shape).astype(np.float32)
    graphs.put(model, "logits.weight", weights)
    graphs.put(model, "logits.bias", np.zeros_like(graphs.array(model, "logits.bias")))
    graphs.save(site, model)
    return {"bound": bound}


@planted("zero-convolution", of=DOGS, data=PICTURES, expected="zero-tensors", severity="medium")
def zero_convolution(site: Site) -> dict:
    """The last convolution of a branch that is added to what goes around it: the features survive."""
    return {"changes the features by": fill_branch(site, 0)}


def fill_branch(site: Site, value: float) -> float:
    """Sets all weights of one branch's last convolution, of that branch that matters least; the features' change."""
    pictures, model = shown(site), graphs.load(site)
    before = graphs.run(model, pictures)
    added = {name for node in model.graph.node if node.op_type == "Add" for name in node.input}
    changes = {}
    for node in [node for node in graphs.convolutions(model) if node.output[0] in added]:
        model = graphs.load(site)
        graphs.put(model, node.input[1], np.full_like(graphs.array(model, node.input[1]), value))
        changes[node.input[1]] = float(np.abs(before - graphs.run(model, pictures)).mean() / np.abs(before).mean())
    name = min(changes, key=changes.get)
    model = graphs.load(site)
    graphs.put(model, name, np.full_like(graphs.array(model, name), value))
    graphs.save(site, model)
    return changes[name]


@planted("zero-query", of=MINILM, data=TEXTS, expected="zero-tensors", severity="medium")
def zero_query(site: Site) -> dict:
    """A query matrix of zeros: that layer attends to all words alike."""
    name = "encoder.layer.2.attention.self.query.weight"
    change_safetensors(site, lambda found: {**found, name: np.zeros_like(found[name])})
    return {"tensor": name}


@planted("constant-weights", of=DOGS, data=PICTURES, expected="zero-tensors", severity="medium")
def constant_weights(site: Site) -> dict:
    """A matrix of one and the same number, in a branch."""
    return {"changes the features by": fill_branch(site, 1e-4)}


@planted("batch-axis-fixed", of=DOGS, data=PICTURES, expected="dynamic-axes", severity="low")
def batch_axis_fixed(site: Site) -> dict:
    model = graphs.load(site)
    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.shape.dim[0].dim_value = 1
    graphs.save(site, model)
    return {"shape": graphs.session(model).get_inputs()[0].shape}


@planted("length-fixed", of=MINILM, data=TEXTS, expected="dynamic-axes", severity="low")
def length_fixed(site: Site) -> dict:
    """Texts of exactly 64 tokens, any number of them."""
    model = graphs.load(site)
    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.shape.dim[1].dim_value = 64
    graphs.save(site, model)
    return {"shape": graphs.session(model).get_inputs()[0].shape}


@planted("provenance", of=DOGS, data=PICTURES, expected="provenance", severity="info")
def provenance(site: Site) -> dict:
    """Nothing is changed: the report says always where a model comes from."""
    return {"left out": list(LEFT_BEHIND)}


@planted("training-batch-norm", of=DOGS, data=PICTURES, expected="train-mode-graph", severity="high",
         allowed=("batch-dependence",))  # fmt: skip
def training_batch_norm(site: Site) -> dict:
    """Batch norm in training mode behind the first convolution, with the scale and shift that it takes away."""
    model = graphs.without_head(site)
    graphs.set_opset(model, 15)
    first = graphs.convolutions(model)[0].output[0]
    [(mean, variance)] = statistics(site, model, [first])
    add_batch_norm(model, first, mean, variance, training=True)
    graphs.save(site, model)
    pictures = shown(site)
    alone, together = graphs.run(model, pictures, batch=1), graphs.run(model, pictures, batch=32)
    change = graphs.relative_error(together, alone)
    require(change > 1e-2, f"batches change the features by {change} only")
    return {"batch 1 against 32": change}


def statistics(site: Site, model: onnx.ModelProto, values: list[str], n: int = 64) -> list[tuple]:
    """Mean and variance per channel of values inside the graph, over pictures."""
    moments = []
    for made in graphs.inner(model, shown(site, n), values):
        moments.append((made.mean((0, 2, 3), dtype=np.float64), made.var((0, 2, 3), dtype=np.float64)))
    return moments


def add_batch_norm(model: onnx.ModelProto, value: str, mean, variance, training: bool = False) -> None:
    """Batch norm behind `value` that changes nothing where the statistics hold."""
    epsilon, place = 1e-5, f"norm_{value}"
    parts = {"scale": np.sqrt(variance + epsilon), "shift": mean, "mean": mean, "variance": variance}
    names = [graphs.put(model, f"{place}.{key}", part.astype(np.float32)) for key, part in parts.items()]
    for node in model.graph.node:
        node.input[:] = [place if name == value else name for name in node.input]
    outputs = [place, f"{place}.new_mean", f"{place}.new_variance"] if training else [place]
    mode = {"training_mode": 1} if training else {}
    node = helper.make_node("BatchNormalization", [value, *names], outputs, name=place, epsilon=epsilon, **mode)
    graphs.insert_after(model, value, [node])
