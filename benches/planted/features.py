"""Defects in what a graph of pictures computes: noise, neighbours, features that are broken or say little."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from . import graphs
from .bases import DOGS, ORIENTATION, PICTURES
from .cases import Site, planted
from .datasets import labels_of, probe, sample, shown
from .graphs import append, array, put, require, without_head

RANDOM = ("train-mode-graph", "nondeterminism", "batch-dependence")
OF_FEW_DIMENSIONS = ("rank-collapse", "dead-features", "below-baseline")


def body(site: Site) -> tuple[onnx.ModelProto, str, np.ndarray]:
    """A graph that ends before its features, the value to make them of, and what it is for some pictures."""
    model = without_head(site)
    clean = graphs.run(model, shown(site, 64))
    return model, graphs.renamed_features(model), clean


def finish(site: Site, model: onnx.ModelProto, n: int = 64) -> np.ndarray:
    """Writes the graph; its features of the same pictures."""
    graphs.save(site, model)
    return graphs.run(model, shown(site, n))


def scaled(site: Site, factor: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Plants features x * factor + shift; the features before and after."""
    model, value, before = body(site)
    product = append(model, "Mul", [value, put(model, "factor", factor.astype(np.float32))], "features.scaled")
    append(model, "Add", [product, put(model, "shift", shift.astype(np.float32))], "features")
    return before, finish(site, model)


def multiplied(site: Site, matrix: np.ndarray) -> np.ndarray:
    """Plants features x * matrix; the features after."""
    model, value, _ = body(site)
    append(model, "MatMul", [value, put(model, "matrix", matrix.astype(np.float32))], "features")
    return finish(site, model)


def width(site: Site) -> int:
    return site.settings()["num_features"]


def differs_between_runs(site: Site, model: onnx.ModelProto) -> dict:
    graphs.save(site, model)
    pictures = shown(site, 8)
    ready = graphs.session(model, optimise=False)
    one, other = (ready.run(["features"], {"input": pictures})[0] for _ in range(2))
    change = graphs.relative_error(one, other)
    require(change > 1e-3, f"two runs differ by {change} only")
    return {"two runs": change}


@planted("training-dropout", of=DOGS, data=PICTURES, expected="train-mode-graph", severity="high", allowed=RANDOM)
def training_dropout(site: Site) -> dict:
    """Dropout of one half, training mode a constant."""
    model, value, _ = body(site)
    inputs = [value, put(model, "ratio", np.float32(0.5)), put(model, "training", np.bool_(True))]
    append(model, "Dropout", inputs, "features")
    return differs_between_runs(site, model)


@planted("random-noise", of=DOGS, data=PICTURES, expected="nondeterminism", severity="high", allowed=RANDOM,
         instead=("train-mode-graph",))  # fmt: skip
def random_noise(site: Site) -> dict:
    """A tenth of a standard deviation of noise is added."""
    model, value, clean = body(site)
    noise = append(model, "RandomNormalLike", [value], "noise", scale=float(clean.std()) / 10)
    append(model, "Add", [value, noise], "features")
    return differs_between_runs(site, model)


@planted("computed-dropout", of=DOGS, data=PICTURES, expected="nondeterminism", severity="high", allowed=RANDOM,
         instead=("train-mode-graph",))  # fmt: skip
def computed_dropout(site: Site) -> dict:
    """Dropout whose training mode is computed, so that only a run shows it."""
    model, value, _ = body(site)
    largest = append(model, "ReduceMax", [value], "largest", keepdims=0)
    training = append(model, "Greater", [largest, put(model, "low", np.float32(-1e9))], "training")
    append(model, "Dropout", [value, put(model, "ratio", np.float32(0.2)), training], "features")
    return differs_between_runs(site, model)


def depends_on_batch(site: Site, model: onnx.ModelProto) -> dict:
    graphs.save(site, model)
    pictures = shown(site, 32)
    change = graphs.relative_error(graphs.run(model, pictures, batch=8), graphs.run(model, pictures, batch=1))
    require(change > 1e-2, f"batches change the features by {change} only")
    return {"batch 8 against 1": change}


@planted("batch-mean", of=DOGS, data=PICTURES, expected="batch-dependence", severity="high")
def batch_mean(site: Site) -> dict:
    """Half of the batch's mean is taken away, without any node of training."""
    model, value, _ = body(site)
    mean = append(model, "ReduceMean", [value], "batch_mean", axes=[0], keepdims=1)
    half = append(model, "Mul", [mean, put(model, "half", np.float32(0.5))], "half_mean")
    append(model, "Sub", [value, half], "features")
    return depends_on_batch(site, model)


@planted("batch-neighbour", of=DOGS, data=PICTURES, expected="batch-dependence", severity="high")
def batch_neighbour(site: Site) -> dict:
    """A fifth of the features of the item before leaks in."""
    model, value, _ = body(site)
    bounds = {"end": [-1], "start": [0], "large": [2**62], "axis": [0]}
    names = {key: put(model, f"roll.{key}", np.array(at, np.int64)) for key, at in bounds.items()}
    last = append(model, "Slice", [value, names["end"], names["large"], names["axis"]], "last_item")
    rest = append(model, "Slice", [value, names["start"], names["end"], names["axis"]], "other_items")
    rolled = append(model, "Concat", [last, rest], "rolled", axis=0)
    part = append(model, "Mul", [rolled, put(model, "fifth", np.float32(0.2))], "leak")
    append(model, "Add", [value, part], "features")
    return depends_on_batch(site, model)


def not_a_number_below(site: Site, share: float) -> dict:
    """sqrt(mean - c) is added to all features: not a number for this share of the pictures."""
    pictures = sample(site.shared / PICTURES, 10**6)
    means = graphs.run(graphs.load(site), graphs.prepared(site.model, pictures)).mean(1)
    model, value, _ = body(site)
    at = np.quantile(means, share, method="higher")
    mean = append(model, "ReduceMean", [value], "item_mean", axes=[1], keepdims=1)
    above = append(model, "Sub", [mean, put(model, "least", np.float32(at))], "above")
    append(model, "Add", [value, append(model, "Sqrt", [above], "root")], "features")
    graphs.save(site, model)
    bad = np.isnan(graphs.run(model, graphs.prepared(site.model, pictures))).any(1).mean()
    require(bad > 0, "no feature is NaN")
    return {"share of items": float(bad)}


@planted("nan-features-many", of=DOGS, data=PICTURES, expected="non-finite-features", severity="fatal")
def nan_features_many(site: Site) -> dict:
    return not_a_number_below(site, 0.2)


@planted("nan-features-few", of=DOGS, data=PICTURES, expected="non-finite-features", severity="high")
def nan_features_few(site: Site) -> dict:
    """Two or three of four hundred: to be seen only by looking at all."""
    return not_a_number_below(site, 0.006)


@planted("constant-features", of=DOGS, data=PICTURES, expected="constant-features", severity="fatal",
         allowed=OF_FEW_DIMENSIONS)  # fmt: skip
def constant_features(site: Site) -> dict:
    n = width(site)
    _, after = scaled(site, np.zeros(n), np.random.default_rng(0).uniform(0.5, 1.5, n))
    return {"largest difference": float(np.ptp(after, axis=0).max())}


@planted("rank-one", of=DOGS, data=PICTURES, expected="rank-collapse", severity="high", allowed=("below-baseline",))
def rank_one(site: Site) -> dict:
    """Features projected onto one direction."""
    random = np.random.default_rng(0)
    after = multiplied(site, np.outer(random.normal(size=width(site)), random.uniform(0.5, 1.5, width(site))))
    return {"effective rank": graphs.effective_rank(after)}


@planted("rank-eight", of=DOGS, data=PICTURES, expected="rank-collapse", severity="medium", allowed=("below-baseline",))
def rank_eight(site: Site) -> dict:
    """Features projected onto eight directions."""
    random, n = np.random.default_rng(0), width(site)
    after = multiplied(site, random.normal(size=(n, 8)) @ random.normal(size=(8, n)) / n)
    rank = graphs.effective_rank(after)
    require(2 < rank < 0.05 * 399, f"effective rank {rank}")
    return {"effective rank": rank}


@planted("nearly-parallel", of=DOGS, data=PICTURES, expected="rank-collapse", severity="high")
def nearly_parallel(site: Site) -> dict:
    """A constant so large that all cosines exceed .999; centred, the features are as good as before."""
    return shifted(site, 0.9996)


@planted("anisotropy", of=DOGS, data=PICTURES, expected="anisotropy", severity="low")
def anisotropy(site: Site) -> dict:
    """A large constant vector is added: cosines of about .97."""
    return shifted(site, 0.97)


def shifted(site: Site, cosine: float) -> dict:
    """Adds a constant vector that makes the mean cosine about so."""
    clean = graphs.run(graphs.load(site), shown(site, 64))
    length = np.sqrt(cosine / (1 - cosine) * clean.var(0).sum())
    direction = np.random.default_rng(0).normal(size=width(site))
    _, after = scaled(site, np.ones(width(site)), length * direction / np.linalg.norm(direction))
    return {"mean cosine": graphs.mean_cosine(after), "effective rank": graphs.effective_rank(after)}


def dead(site: Site, share: float) -> dict:
    """Sets this share of the features to a constant."""
    n = width(site)
    factor = np.ones(n)
    factor[np.random.default_rng(0).permutation(n)[: round(share * n)]] = 0
    before, after = scaled(site, factor, np.zeros(n))
    constant = [float((values.std(0) < 1e-6).mean()) for values in (before, after)]
    return {"dead before": constant[0], "dead after": constant[1]}


@planted("dead-20", of=DOGS, data=PICTURES, expected="dead-features", severity="low")
def dead_20(site: Site) -> dict:
    return dead(site, 0.2)


@planted("dead-60", of=DOGS, data=PICTURES, expected="dead-features", severity="medium")
def dead_60(site: Site) -> dict:
    return dead(site, 0.6)


@planted("dead-90", of=DOGS, data=PICTURES, expected="dead-features", severity="high")
def dead_90(site: Site) -> dict:
    return dead(site, 0.9)


@planted("dominant-dimension", of=DOGS, data=PICTURES, expected="dominant-dimension", severity="low",
         allowed=("rank-collapse",))  # fmt: skip
def dominant_dimension(site: Site) -> dict:
    """One feature a thousand times larger: also close to the bound of a collapsed rank, which is no false alarm."""
    n = width(site)
    factor = np.ones(n)
    factor[n // 3] = 1e3
    _, after = scaled(site, factor, np.zeros(n))
    share = after.var(0)[n // 3] / after.var(0).sum()
    require(share > 0.6, f"the dimension has {share} of the variance only")
    return {"share of the variance": float(share), "effective rank": graphs.effective_rank(after)}


@planted("orientation-of-pages", of=ORIENTATION, data=PICTURES, expected="below-baseline", severity="high")
def orientation(site: Site) -> dict:
    """Nothing is changed: a model that tells how pages lie is used for photographs, of the set that suits it least."""
    found = {name: probe_of(site, graphs.load(site), name) for name in site.bench.pictures}
    site.with_data = min(found, key=lambda name: found[name]["probe"] - found[name]["pixels"])
    return {"data": site.with_data, **useless(found[site.with_data])}


@planted("hashed-features", of=DOGS, data=PICTURES, expected="below-baseline", severity="high")
def hashed_features(site: Site) -> dict:
    """Sines of large multiples of random projections: finite, varied, repeatable, and of no use."""
    model, value, clean = body(site)
    random, n = np.random.default_rng(0), width(site)
    matrix = random.normal(size=(n, n))
    matrix *= 40 / (clean @ matrix).std(0).mean()
    product = append(model, "MatMul", [value, put(model, "matrix", matrix.astype(np.float32))], "phases")
    append(model, "Sin", [product], "features")
    graphs.save(site, model)
    return useless(probe_of(site, model))


@planted("coarse-pixels", of=DOGS, data=PICTURES, expected="below-baseline", severity="high",
         allowed=("untrained-weights",))  # fmt: skip
def coarse_pixels(site: Site) -> dict:
    """The features are a projection of nine grey values: less than the pixels themselves say."""
    model = without_head(site)
    for node in list(model.graph.node):
        model.graph.node.remove(node)
    graphs.remove_tensors(model, [tensor.name for tensor in model.graph.initializer])
    random = np.random.default_rng(0)
    put(model, "grey", np.full((1, 3, 1, 1), 1 / 3, np.float32))
    put(model, "matrix", random.normal(0, 1 / 3, (9, width(site))).astype(np.float32))
    grey = append(model, "Conv", ["input", "grey"], "grey_picture", kernel_shape=[1, 1], strides=[1, 1])
    pooled = append(model, "AveragePool", [grey], "nine", kernel_shape=[53, 53], strides=[53, 53])
    rows = append(model, "Flatten", [pooled], "rows")
    append(model, "MatMul", [rows, "matrix"], "features")
    graphs.save(site, model)
    return useless(probe_of(site, model))


def useless(found: dict) -> dict:
    """The same figures, if the features say no more than pixels do."""
    bound = found["pixels"] + found["standard error"]
    require(found["probe"] <= bound, f"the probe's {found['probe']} is above the pixels' {bound}")
    return found


def probe_of(site: Site, model: onnx.ModelProto, data: str = PICTURES) -> dict:
    """A ridge probe on the features and on 32x32 grey pixels."""
    files = sample(site.shared / data, 10**6)
    labels = labels_of(files)
    features = graphs.run(model, graphs.prepared(site.model, files))
    grey = np.stack([graphs.grey(path) for path in files])
    pixels = probe(grey, labels)
    error = float(np.sqrt(pixels * (1 - pixels) / len(files)))
    return {"probe": probe(features, labels), "pixels": pixels, "standard error": error}


@planted("half-overflow", of=DOGS, data=PICTURES, expected="f16-headroom", severity="medium")
def half_overflow(site: Site) -> dict:
    """One channel between two convolutions is scaled up, and down again by the next."""
    model = graphs.load(site)
    first, second = linear_pair(model)
    mean, _ = peak(site, model, first.output[0])
    factor = 1.5 * 65504 / mean
    scale_channels(model, first, second, [0], factor)
    graphs.save(site, model)
    largest, _ = peak(site, model, first.output[0])
    require(largest > 65504, f"the largest activation is {largest}")
    return {"factor": float(factor), "largest activation": float(largest)}


@planted("half-underflow", of=DOGS, data=PICTURES, expected="f16-headroom", severity="medium")
def half_underflow(site: Site) -> dict:
    """One convolution's weights times 1e-9, the next one's times 1e9: half precision turns them to 0 and infinity."""
    model = graphs.load(site)
    before = graphs.run(model, shown(site))
    first, second = linear_pair(model)
    scale_channels(model, first, second, list(range(array(model, first.input[1]).shape[0])), 1e-9)
    graphs.save(site, model)
    change = graphs.relative_error(before, graphs.run(model, shown(site)))
    require(change < 1e-3, f"in full precision the features change by {change}")
    return {"in full precision": change}


def linear_pair(model: onnx.ModelProto) -> tuple[onnx.NodeProto, onnx.NodeProto]:
    """Two convolutions with nothing between them, of which no one else reads."""
    for first in reversed(graphs.convolutions(model)):
        readers = [node for node in model.graph.node if first.output[0] in node.input]
        if [node.op_type for node in readers] == ["Conv"]:
            return first, readers[0]
    raise graphs.NotPlanted("no two convolutions follow each other")


def scale_channels(model: onnx.ModelProto, first, second, channels: list[int], factor: float) -> None:
    """The first convolution gives these channels `factor` times larger, and the second takes it back."""
    for name in first.input[1:]:
        values = array(model, name)
        values[channels] *= np.float32(factor)
        put(model, name, values)
    values = array(model, second.input[1])
    values[:, channels] /= np.float32(factor)
    put(model, second.input[1], values)


def peak(site: Site, model: onnx.ModelProto, value: str) -> tuple[float, float]:
    """The largest sizes of an inner value: in its first channel, and in all."""
    values = np.abs(graphs.inner(model, shown(site), [value])[0])
    return float(values[:, 0].max()), float(values.max())


@planted("half-cancellation", of=DOGS, data=PICTURES, expected="low-precision-drift", severity="medium")
def half_cancellation(site: Site) -> dict:
    """3000 is added and taken away: small in single precision, but half precision keeps steps of two there."""
    model, value, clean = body(site)
    large = put(model, "large", np.float32(3000))
    append(model, "Sub", [append(model, "Add", [value, large], "raised"), large], "features")
    change = graphs.relative_error(clean, finish(site, model))
    half = (clean.astype(np.float16) + np.float16(3000)) - np.float16(3000)
    cosine = (half.astype(np.float32) * clean).sum(1) / np.linalg.norm(clean, axis=1)
    cosine /= np.maximum(np.linalg.norm(half.astype(np.float32), axis=1), 1e-12)
    require(np.median(cosine) < 0.98, f"cosine {np.median(cosine)}")
    return {"in full precision": change, "median cosine in half": float(np.median(cosine))}


@planted("coarse-int8", of=DOGS, data=PICTURES, expected="low-precision-drift", severity="medium")
def coarse_int8(site: Site) -> dict:
    """A variant `onnx/model_int8.onnx` with int8 weights of seven levels per tensor."""
    model = graphs.load(site)
    for node in graphs.convolutions(model):
        quantise(model, node, levels=3)
    path = site.model / "onnx" / "model_int8.onnx"
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    clean, coarse = graphs.run(site.model / graphs.WEIGHTS, shown(site)), graphs.run(path, shown(site))
    cosine = (clean * coarse).sum(1) / np.linalg.norm(clean, axis=1) / np.linalg.norm(coarse, axis=1)
    require(np.median(cosine) < 0.98, f"cosine {np.median(cosine)}")
    return {"median cosine": float(np.median(cosine))}


def quantise(model: onnx.ModelProto, node: onnx.NodeProto, levels: int) -> None:
    """Weights as whole numbers from -levels to levels, and a node that scales them back."""
    name = node.input[1]
    values = array(model, name)
    step = np.float32(np.abs(values).max() / levels)
    graphs.remove_tensors(model, [name])
    inputs = [
        put(model, f"{name}.int8", np.round(values / step).astype(np.int8)),
        put(model, f"{name}.scale", step),
        put(model, f"{name}.zero", np.int8(0)),
    ]
    place = list(model.graph.node).index(node)
    model.graph.node.insert(place, helper.make_node("DequantizeLinear", inputs, [name]))
