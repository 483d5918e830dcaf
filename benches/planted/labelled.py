"""Defects in preprocessing, in what heads and cards say, and in data sets of pictures."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import helper
from PIL import Image

from . import graphs
from .bases import DOGS, LITE, PICTURES
from .cases import Site, planted
from .datasets import labels_of, parts, pictures, sample
from .graphs import array, put, require
from .weights import add_batch_norm, statistics

PREPROCESSOR = "preprocessor_config.json"
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
ZERO_TO_ONE = {"do_normalize": False}
RAW = {"do_rescale": False, "do_normalize": False}


@planted("declared-raw", of=LITE, data=PICTURES, expected="preprocessing-mismatch", severity="medium",
         allowed=("below-baseline",))  # fmt: skip
def declared_raw(site: Site) -> dict:
    """0..255 as it is: the input's standard deviation is far outside what networks take."""
    site.set(PREPROCESSOR, **RAW)
    deviation = float(graphs.prepared(site.model, sample(site.shared / PICTURES, 16)).std())
    require(deviation > 4, f"the input's standard deviation is {deviation}")
    return {"standard deviation of the input": deviation}


@planted("crop-beyond-picture", of=DOGS, data=PICTURES, expected="preprocessing-mismatch", severity="high")
def crop_beyond_picture(site: Site) -> dict:
    """The crop is larger than what it is taken of, as Resize(256) before CenterCrop(299): a black border."""
    size, crop = {"shortest_edge": 136}, {"height": 160, "width": 160}
    site.set(PREPROCESSOR, size=size, do_center_crop=True, crop_size=crop)
    return {"resize": 136, "crop": 160}


def normed(site: Site) -> onnx.ModelProto:
    """The model with batch norms that change nothing, their statistics measured on the pictures."""
    model = graphs.load(site)
    clipped = [node.input[0] for node in model.graph.node if node.op_type == "Clip"]
    values = clipped[:: max(len(clipped) // 6, 1)]
    for value, (mean, variance) in zip(values, statistics(site, model, values, 128)):
        add_batch_norm(model, value, mean, variance)
    graphs.save(site, model)
    return model


def divergence(site: Site, model: onnx.ModelProto, **changes) -> float:
    """S1 of the first batch norm: the median Gaussian divergence per channel."""
    node = next(node for node in model.graph.node if node.op_type == "BatchNormalization")
    inputs = graphs.prepared(site.model, sample(site.shared / PICTURES, 64), **changes)
    [values] = graphs.inner(model, inputs, [node.input[0]])
    m, v = values.mean((0, 2, 3), dtype=np.float64), values.var((0, 2, 3), dtype=np.float64) + 1e-12
    rm, rv = array(model, node.input[3]), array(model, node.input[4]) + 1e-5
    return float(np.median(0.5 * ((v + (m - rm) ** 2) / rv - 1 - np.log(v / rv))))


def declare_with_norms(site: Site, **changes) -> dict:
    model = normed(site)
    right, wrong = divergence(site, model), divergence(site, model, **changes)
    site.set(PREPROCESSOR, **changes)
    require(wrong >= 0.1 and right <= wrong / 4, f"divergence {right} when right, {wrong} as declared")
    return {"divergence, right": right, "declared": wrong}


@planted("control-batch-norm", of=LITE, data=PICTURES, expected=None)
def control_batch_norm(site: Site) -> dict:
    """Batch norm in evaluation mode and the right preprocessing."""
    return {"divergence": divergence(site, normed(site))}


@planted("norms-raw", of=LITE, data=PICTURES, expected="preprocessing-mismatch", severity="high",
         allowed=("below-baseline",))  # fmt: skip
def norms_raw(site: Site) -> dict:
    return declare_with_norms(site, **RAW)


@planted("norms-0-1", of=LITE, data=PICTURES, expected="preprocessing-mismatch", severity="high")
def norms_0_1(site: Site) -> dict:
    return declare_with_norms(site, **ZERO_TO_ONE)


@planted("norms-imagenet", of=LITE, data=PICTURES, expected="preprocessing-mismatch", severity="high")
def norms_imagenet(site: Site) -> dict:
    return declare_with_norms(site, **IMAGENET)


def large_pictures(site: Site) -> list[Path]:
    """Pictures of 3 x 2 others of their class: larger than the input, and full of fine detail."""
    for folder in sorted((site.shared / PICTURES).iterdir()):
        (site.data / folder.name).mkdir(parents=True)
        files = pictures(folder)
        for place in range(len(files)):
            target = site.data / folder.name / f"{place:03}.jpg"
            mosaic([files[(place + step) % len(files)] for step in range(6)]).save(target, quality=92)
    return pictures(site.data)


def mosaic(files: list[Path]) -> Image.Image:
    whole = Image.new("RGB", (768, 512))
    for place, file in enumerate(files):
        tile = Image.open(file).convert("RGB")
        side = min(tile.size)
        tile = graphs.cropped(tile, {"width": side, "height": side}).resize((256, 256), Image.BICUBIC)
        whole.paste(tile, (place % 3 * 256, place // 3 * 256))
    return whole


@planted("nearest-and-squash", of=DOGS, data=PICTURES, expected="resize-sensitivity", severity="medium",
         allowed=("train-eval-duplicates",))  # fmt: skip
def nearest_and_squash(site: Site) -> dict:
    """Large pictures, squashed without smoothing; the tiles repeat between pictures."""
    site.set(PREPROCESSOR, resample=0)
    files = large_pictures(site)[::8]
    model = graphs.load(site)
    values = [graphs.run(model, graphs.prepared(site.model, files, resample=how)) for how in (0, 3)]
    cosine = (values[0] * values[1]).sum(1) / np.prod([np.linalg.norm(part, axis=1) for part in values], axis=0)
    distance = float(np.median(1 - cosine))
    require(distance > 0.05, f"the kernel changes the features by {distance} only")
    return {"1 - cosine, nearest against bicubic": distance}


def fitted_head(site: Site, per_class: int = 80) -> float:
    """A head of the data's classes, fitted on pictures that the vet does not see; its accuracy on those it sees."""
    _, others = parts(site.bench.pictures[site.with_data])
    weights, bias = fit(site.model, others, per_class)
    model = graphs.load(site)
    put(model, "logits.weight", weights.T)
    put(model, "logits.bias", bias)
    gemm = next(node for node in model.graph.node if node.op_type == "Gemm")
    kept = [attribute for attribute in gemm.attribute if attribute.name != "transB"]
    del gemm.attribute[:]
    gemm.attribute.extend([*kept, helper.make_attribute("transB", 1)])
    output = next(output for output in model.graph.output if output.name == "logits")
    output.type.tensor_type.shape.dim[1].dim_value = len(others)
    graphs.save(site, model)
    rename(site, list(others))
    return own_accuracy(site)


def fit(folder: Path, classes: dict[str, list[Path]], per_class: int) -> tuple[np.ndarray, np.ndarray]:
    files = [file for group in classes.values() for file in group[:per_class]]
    return logistic(features_of(folder, files), labels_of(files))


# Features by base, preprocessing and picture: heads share them.
KNOWN: dict[tuple, np.ndarray] = {}


def features_of(folder: Path, files: list[Path], **changes) -> np.ndarray:
    """Features of the unchanged body, which all cases of this module leave as it is."""
    how = (folder / PREPROCESSOR).read_text() + repr(changes)
    new = [file for file in files if (how, file) not in KNOWN]
    if new:
        found = graphs.run(folder / graphs.WEIGHTS, graphs.prepared(folder, new, **changes))
        KNOWN.update({(how, file): row for file, row in zip(new, found)})
    return np.stack([KNOWN[how, file] for file in files])


def own_probabilities(site: Site, **changes) -> tuple[np.ndarray, list[bool]]:
    """The head's probabilities for the pictures that the vet sees, and whether its choice has the right name."""
    files = sample(site.shared / site.with_data, 10**6)
    model = graphs.load(site)
    logits = features_of(site.model, files, **changes) @ array(model, "logits.weight").T + array(model, "logits.bias")
    names = site.settings()["id2label"]
    return graphs.softmax(logits), [names[str(at)] == file.parent.name for at, file in zip(logits.argmax(1), files)]


def own_accuracy(site: Site, **changes) -> float:
    return float(np.mean(own_probabilities(site, **changes)[1]))


def declare_with_head(site: Site, **changes) -> dict:
    """Declares a wrong preprocessing of a model with a head for the data, of that data set where it harms most."""
    harm = {name: harm_of(site, name, changes) for name in site.bench.pictures}
    site.with_data = max(harm, key=lambda name: harm[name]["accuracy"] - harm[name]["declared"])
    fitted_head(site)
    site.set(PREPROCESSOR, **changes)
    found = harm[site.with_data]
    require(found["accuracy"] - found["declared"] > 0.15 or (found["gain"] > 0.08 and found["t"] > 3), str(harm))
    return {"data": site.with_data, **found}


def harm_of(site: Site, data: str, changes: dict) -> dict[str, float]:
    """Accuracy and mean confidence of a fitted head, with the right preprocessing and with a wrong one."""
    site.with_data = data
    accuracy = fitted_head(site)
    gain = own_probabilities(site)[0].max(1) - own_probabilities(site, **changes)[0].max(1)
    t = float(gain.mean() / (gain.std(ddof=1) / np.sqrt(len(gain))))
    return {"accuracy": accuracy, "declared": own_accuracy(site, **changes), "gain": float(gain.mean()), "t": t}


@planted("declared-bgr", of=LITE, data=PICTURES, expected="preprocessing-mismatch", severity="medium")
def declared_bgr(site: Site) -> dict:
    """No batch norm, but a head: its confidence or its accuracy tells."""
    return declare_with_head(site, channel_order="BGR")


@planted("declared-0-1", of=LITE, data=PICTURES, expected="preprocessing-mismatch", severity="medium")
def declared_0_1(site: Site) -> dict:
    return declare_with_head(site, **ZERO_TO_ONE)


def logistic(features: np.ndarray, labels: np.ndarray, steps: int = 300, rate: float = 0.02, decay: float = 0.02):
    """Softmax regression by gradient descent; weights [features, classes] and biases for unscaled features."""
    mean, deviation = features.mean(0), features.std(0) + 1e-3
    x, one_hot = (features - mean) / deviation, np.eye(labels.max() + 1)[labels]
    weights, bias = np.zeros((x.shape[1], one_hot.shape[1])), np.zeros(one_hot.shape[1])
    for _ in range(steps):
        error = (graphs.softmax(x @ weights + bias) - one_hot) / len(x)
        weights -= rate * (x.T @ error + decay * weights)
        bias -= rate * error.sum(0)
    weights = weights / deviation[:, None]
    return weights.astype(np.float32), (bias - mean @ weights).astype(np.float32)


def card(site: Site, accuracy: float) -> None:
    """A README.md that states an accuracy for the very data set."""
    name = site.bench.pictures[site.with_data].parent.name
    text = f"""---
license: apache-2.0
library_name: onnx
tags:
- image-classification
model-index:
- name: {site.settings()["architecture"]}
  results:
  - task:
      type: image-classification
      name: Image Classification
    dataset:
      name: {name}
      type: {PICTURES}
      split: test
    metrics:
    - type: accuracy
      name: Accuracy
      value: {accuracy:.4f}
---

# {site.settings()["architecture"]} for {name}

Accuracy on {name}: {accuracy:.1%}.
"""
    (site.model / "README.md").write_text(text)


@planted("control-head", of=LITE, data=PICTURES, expected=None)
def control_head(site: Site) -> dict:
    """A fitted head, right names and an honest card."""
    accuracy = fitted_head(site)
    card(site, accuracy)
    return {"accuracy": accuracy, "with BGR": own_accuracy(site, channel_order="BGR")}


@planted("names-rotated", of=LITE, data=PICTURES, expected="label-permutation", severity="high")
def names_rotated(site: Site) -> dict:
    """Every name stands at the next class."""
    accuracy = fitted_head(site)
    names = list(site.settings()["id2label"].values())
    rename(site, names[1:] + names[:1])
    return {"accuracy": accuracy, "with these names": own_accuracy(site)}


@planted("names-of-four", of=LITE, data=PICTURES, expected="label-permutation", severity="high")
def names_of_four(site: Site) -> dict:
    """Four names have changed places, the others are right."""
    accuracy = fitted_head(site)
    names = list(site.settings()["id2label"].values())
    rename(site, [names[place] for place in (1, 0, 3, 2)] + names[4:])
    return {"accuracy": accuracy, "with these names": own_accuracy(site)}


def rename(site: Site, names: list[str]) -> None:
    numbers = {name: place for place, name in enumerate(names)}
    site.set(num_labels=len(names), id2label={str(place): name for name, place in numbers.items()}, label2id=numbers)


@planted("card-too-good", of=LITE, data=PICTURES, expected="published-gap", severity="medium")
def card_too_good(site: Site) -> dict:
    """A head fitted on three pictures per class, and a card that says .99."""
    accuracy = fitted_head(site, 3)
    card(site, 0.99)
    require(accuracy < 0.9, f"the head is right too often: {accuracy}")
    return {"accuracy": accuracy}


@planted("head-and-raw", of=LITE, data=PICTURES, expected="preprocessing-mismatch", severity="high",
         allowed=("below-baseline",))  # fmt: skip
def head_and_raw(site: Site) -> dict:
    """The head's names are the data's classes: its accuracy tells that 0..255 is wrong."""
    right = fitted_head(site)
    wrong = own_accuracy(site, **RAW)
    site.set(PREPROCESSOR, **RAW)
    require(right - wrong > 0.15, f"accuracy {right} when right, {wrong} as declared")
    return {"accuracy, right": right, "declared": wrong}


def folds(site: Site) -> tuple[list[Path], list[Path]]:
    """The pictures as train/ and val/, one in four for evaluation; the files of both."""
    for folder in sorted((site.shared / PICTURES).iterdir()):
        for place, file in enumerate(pictures(folder)):
            target = site.data / ("train" if place % 4 else "val") / folder.name / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    return pictures(site.data / "train"), pictures(site.data / "val")


@planted("control-folds", of=DOGS, data=PICTURES, expected=None)
def control_folds(site: Site) -> dict:
    return dict(zip(("train", "val"), map(len, folds(site))))


@planted("pictures-in-both-folds", of=DOGS, data=PICTURES, expected="train-eval-duplicates", severity="high")
def pictures_in_both_folds(site: Site) -> dict:
    """One in ten pictures for evaluation lies among those for training too."""
    _, held = folds(site)
    for file in held[::10]:
        shutil.copy(file, site.data / "train" / file.parent.name / f"copy-{file.name}")
    return {"evaluation items": len(held), "copied": len(held[::10])}


@planted("pictures-saved-again", of=DOGS, data=PICTURES, expected="train-eval-duplicates", severity="high")
def pictures_saved_again(site: Site) -> dict:
    """The same, but the copies are other files: saved again as JPEG of quality 70."""
    _, held = folds(site)
    for file in held[::10]:
        stream = io.BytesIO()
        Image.open(file).convert("RGB").save(stream, "JPEG", quality=70)
        (site.data / "train" / file.parent.name / f"copy-{file.stem}.jpg").write_bytes(stream.getvalue())
    return {"evaluation items": len(held), "copied": len(held[::10])}


@planted("picture-in-two-classes", of=DOGS, data=PICTURES, expected="contradicting-labels", severity="medium",
         allowed=("train-eval-duplicates",))  # fmt: skip
def picture_in_two_classes(site: Site) -> dict:
    shutil.copytree(site.shared / PICTURES, site.data)
    folders = sorted(path for path in site.data.iterdir())
    for place, folder in enumerate(folders[:5]):
        shutil.copy(pictures(folder)[0], folders[place - 1] / "again.jpg")
    return {"pictures": len(folders[:5])}
