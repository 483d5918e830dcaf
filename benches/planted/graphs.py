"""Reading, changing and running ONNX graphs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from .cases import NotPlanted, Site

WEIGHTS = "onnx/model.onnx"
FILTERS = {0: Image.NEAREST, 1: Image.LANCZOS, 2: Image.BILINEAR, 3: Image.BICUBIC}


def load(site: Site) -> onnx.ModelProto:
    return onnx.load(site.model / WEIGHTS)


def save(site: Site, model: onnx.ModelProto, checked: bool = True) -> None:
    """Writes the graph; `checked` says that it is meant to be valid."""
    if checked:
        onnx.checker.check_model(model)
    (site.model / WEIGHTS).write_bytes(model.SerializeToString())


def initializer(model: onnx.ModelProto, name: str) -> TensorProto:
    return next(tensor for tensor in model.graph.initializer if tensor.name == name)


def array(model: onnx.ModelProto, name: str) -> np.ndarray:
    return numpy_helper.to_array(initializer(model, name)).copy()


def put(model: onnx.ModelProto, name: str, values: np.ndarray) -> str:
    """Sets an initializer, or adds it; its name."""
    tensor = numpy_helper.from_array(np.asarray(values, order="C"), name)
    for old in model.graph.initializer:
        if old.name == name:
            old.CopyFrom(tensor)
            return name
    model.graph.initializer.append(tensor)
    return name


def convolutions(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type == "Conv"]


def without_head(site: Site) -> onnx.ModelProto:
    """The graph up to its features, and a config.json that states no classes."""
    model = load(site)
    graph = model.graph
    for node in [node for node in graph.node if "logits" in node.output]:
        remove_tensors(model, node.input[1:])
        graph.node.remove(node)
    for output in [output for output in graph.output if output.name == "logits"]:
        graph.output.remove(output)
    site.set(num_labels=None, id2label=None)
    return model


def remove_tensors(model: onnx.ModelProto, names) -> None:
    kept = [tensor for tensor in model.graph.initializer if tensor.name not in set(names)]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def renamed_features(model: onnx.ModelProto) -> str:
    """Frees the name `features` for nodes that are added behind; the value that was called so."""
    for node in model.graph.node:
        for place, name in enumerate(node.output):
            if name == "features":
                node.output[place] = "features.before"
    return "features.before"


def append(model: onnx.ModelProto, kind: str, inputs: list[str], output: str, **attributes) -> str:
    """Adds a node at the end; its output's name."""
    model.graph.node.append(helper.make_node(kind, inputs, [output], name=f"{kind.lower()}_{output}", **attributes))
    return output


def insert_after(model: onnx.ModelProto, value: str, nodes: list[onnx.NodeProto]) -> None:
    """Puts nodes behind the maker of `value`."""
    place = next(place for place, node in enumerate(model.graph.node) if value in node.output)
    for step, node in enumerate(nodes, 1):
        model.graph.node.insert(place + step, node)


def set_opset(model: onnx.ModelProto, version: int) -> None:
    """For graphs whose operators are the same in both versions."""
    for opset in model.opset_import:
        if opset.domain == "":
            opset.version = version


def session(model: onnx.ModelProto | Path, optimise: bool = True) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    what = str(model) if isinstance(model, Path) else model.SerializeToString()
    return onnxruntime.InferenceSession(what, options, providers=["CPUExecutionProvider"])


def refused(path: Path, inputs: np.ndarray | None = None) -> str:
    """What ONNX Runtime says of a model that must not load, or not run on these inputs; an error if it does."""
    try:
        ready = session(path)
        if inputs is not None:
            ready.run(None, {ready.get_inputs()[0].name: inputs})
    except Exception as error:  # ONNX Runtime has no common class of errors
        return str(error).splitlines()[0][:200]
    raise NotPlanted("ONNX Runtime takes the model")


def run(model: onnx.ModelProto | Path, inputs: np.ndarray, output: str = "features", batch: int = 32) -> np.ndarray:
    """An output for pictures that are prepared already."""
    ready = session(model)
    name = ready.get_inputs()[0].name
    parts = [ready.run([output], {name: inputs[at : at + batch]})[0] for at in range(0, len(inputs), batch)]
    return np.concatenate(parts)


def inner(model: onnx.ModelProto, inputs: np.ndarray, values: list[str]) -> list[np.ndarray]:
    """Values inside a graph."""
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    known = {output.name for output in opened.graph.output}
    for value in values:
        if value not in known:
            opened.graph.output.append(helper.make_tensor_value_info(value, TensorProto.FLOAT, None))
    ready = session(opened)
    name = ready.get_inputs()[0].name
    parts = [ready.run(values, {name: inputs[at : at + 32]}) for at in range(0, len(inputs), 32)]
    return [np.concatenate(pieces) for pieces in zip(*parts)]


def prepared(folder: Path, pictures: list[Path], **changes) -> np.ndarray:
    """The tensor that the model's preprocessor_config.json, with changes, asks for."""
    how = {**json.loads((folder / "preprocessor_config.json").read_text()), **changes}
    return np.stack([prepared_picture(path, how) for path in pictures])


def prepared_picture(path: Path, how: dict) -> np.ndarray:
    picture = Image.open(path).convert("RGB")
    size = how["size"]
    if "shortest_edge" in size:
        scale = size["shortest_edge"] / min(picture.size)
        target = tuple(max(round(side * scale), size["shortest_edge"]) for side in picture.size)
    else:
        target = (size["width"], size["height"])
    picture = picture.resize(target, FILTERS[how["resample"]])
    if how["do_center_crop"]:
        picture = cropped(picture, how["crop_size"])
    values = np.asarray(picture, np.float32)
    if how["do_rescale"]:
        values = values * how["rescale_factor"]
    if how["channel_order"] == "BGR":
        values = values[..., ::-1]
    if how["do_normalize"]:
        values = (values - np.float32(how["image_mean"])) / np.float32(how["image_std"])
    return np.ascontiguousarray(values.transpose(2, 0, 1), np.float32)


def grey(path: Path) -> np.ndarray:
    """32x32 grey values of 0..1 in a row."""
    return np.asarray(Image.open(path).convert("L").resize((32, 32), Image.BILINEAR), np.float32).ravel() / 255


def cropped(picture: Image.Image, crop: dict) -> Image.Image:
    left, top = (picture.width - crop["width"]) // 2, (picture.height - crop["height"]) // 2
    return picture.crop((left, top, left + crop["width"], top + crop["height"]))


def relative_error(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).max() / np.abs(one).max())


def effective_rank(features: np.ndarray) -> float:
    values = np.linalg.svd(features - features.mean(0), compute_uv=False)
    shares = values[values > 1e-9 * values.max()] / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def mean_cosine(features: np.ndarray) -> float:
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    n = len(unit)
    return float(((unit @ unit.T).sum() - n) / (n * (n - 1)))


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def require(holds: bool, what: str) -> None:
    """A planted defect must be there when it is measured."""
    if not holds:
        raise NotPlanted(what)
