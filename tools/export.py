"""Turn a PyTorch model into a folder that zoologist can rank: ONNX weights, preprocessing, a `features` output.

    python export.py timm resnet50.a1_in1k -o zoo/resnet50
    python export.py torchvision mobilenet_v3_small -o zoo/mobilenet_v3_small
    python export.py transformers google/vit-base-patch16-224 -o zoo/vit

and for a module of your own, from Python: see `export_module`. The features are what the classifier head reads.

A folder appears only if it is right: ONNX Runtime must repeat the module's numbers, alone and in a batch, and the
written preprocessing must repeat the library's own on sample pictures. A pickle is never executed: `--checkpoint`
reads safetensors, and the libraries are held to plain tensors.

Needs: pip install torch onnx onnxruntime numpy pillow safetensors, and whichever of timm, torchvision, transformers.
"""

import argparse
import hashlib
import importlib
import json
import math
import os
import re
import shutil
import sys
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

try:
    import numpy as np
    import onnx
    import onnxruntime
    import torch
    from PIL import Image
except ImportError as missing:
    raise ImportError(f"{missing}: pip install torch onnx onnxruntime numpy pillow safetensors") from missing

TOLERANCE = 1e-4  # of an output's norm
GREY_LEVELS = 2  # of 255: two implementations of one filter differ by rounding
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "modules.json",
                   "sentence_bert_config.json", "1_Pooling/config.json")
FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3}
PICTURE_FLAGS = {"do_resize": True, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
                 "channel_order": "RGB"}


class Refused(Exception):
    """No folder was written; the message says why and what to do."""


@dataclass
class Export:
    """A model on its way into a folder."""

    model: torch.nn.Module  # in evaluation mode
    answer: Callable  # the model's inputs -> the tuple of its `outputs`, the features last
    inputs: list[str]
    outputs: list[str]
    axes: dict[int, str]  # the axes of free length, the same for every input and output
    sample: Callable[[int], tuple]  # batch size -> random inputs, the same at every call
    config: dict
    files: dict[str, bytes]  # what else the folder holds


def export_timm(name, random=False, checkpoint=None):
    """a timm model with its pretrained weights, seeded random ones, or those of a safetensors file"""
    timm = needed("timm")
    torch.manual_seed(0)
    with explained(f"timm cannot provide {name}"):
        model = timm_from_checkpoint(timm, name, checkpoint) if checkpoint else \
            timm.create_model(name, pretrained=not random)
    stated = {key: value for key, value in model.pretrained_cfg.items() if value is not None}
    pretrained = not (random or checkpoint)
    weights = "pretrained" if pretrained else "random" if random else f"checkpoint {Path(checkpoint).name}"
    licence = {"license": stated["license"]} if pretrained and "license" in stated else {}
    config = {"architecture": stated["architecture"], "pretrained_cfg": stated} | source_of(timm, name, weights)

    def answer(pixels):
        maps = model.forward_features(pixels)
        features = pooled(model.forward_head(maps, pre_logits=True))
        return (model.forward_head(maps), features) if model.num_classes else (features,)

    data = timm.data.resolve_model_data_config(model)
    return export_pictures(model.eval(), answer, "input", timm_rules(data), config | licence,
                           timm_labels(timm.data, model, stated) if pretrained else None,
                           timm.data.create_transform(**data, is_training=False))


def timm_from_checkpoint(timm, name, checkpoint):
    """The model with as many classes as the file's classifier has rows: none where it holds no classifier."""
    if Path(checkpoint).suffix != ".safetensors":
        raise Refused(f"{checkpoint} is not a safetensors file, and pickles are never loaded. Where you trust it: "
                      "safetensors.torch.save_file(torch.load(FILE, weights_only=True), \"FILE.safetensors\")")
    state = needed("safetensors.torch").load_file(checkpoint)
    classifier = np.atleast_1d(timm.get_pretrained_cfg(name).classifier or "")[0]
    head = state.get(f"{classifier}.weight")
    model = timm.create_model(name, num_classes=0 if head is None else len(head))
    model.load_state_dict(state)
    return model


def timm_rules(data):
    """timm's evaluation transform: edges of floor(edge / crop_pct), then the centre crop."""
    channels, height, width = data["input_size"]
    if channels != 3 or data["crop_mode"] not in ("center", "squash") or data["interpolation"] not in FILTERS:
        raise Refused(f"timm prepares pictures for this model in a way zoologist cannot repeat: {data}")
    tall, wide = (math.floor(edge / data["crop_pct"]) for edge in (height, width))
    size = {"height": tall, "width": wide} if data["crop_mode"] == "squash" else {"shortest_edge": tall}
    return picture_rules(size, data["interpolation"], data["mean"], data["std"], (height, width))


def timm_labels(data, model, stated):
    """The class names that came with the weights, or ImageNet's where the weights' tag says ImageNet."""
    if "label_names" in stated:
        descriptions = stated.get("label_descriptions", {})
        return [descriptions.get(name, name) for name in stated["label_names"]]
    subset = data.infer_imagenet_subset(model)
    tagged = re.search(r"in(1|12|21|22)k", stated.get("tag", ""))
    return data.ImageNetInfo(subset).label_descriptions() if subset and tagged else None


def export_torchvision(name, weights="DEFAULT"):
    """a torchvision picture classifier"""
    torchvision = needed("torchvision")
    torch.manual_seed(0)
    with explained(f"torchvision has no picture classifier {name} with weights {weights}"):
        entries = torchvision.models.get_model_weights(name)
        chosen = None if weights.lower() == "none" else entries[weights]
        transform = (chosen or entries.DEFAULT).transforms()
        resize, crop = transform.resize_size, transform.crop_size
        model = torchvision.models.get_model(name, weights=chosen).eval()
    size = {"shortest_edge": resize[0]} if len(resize) == 1 else {"height": resize[0], "width": resize[1]}
    rules = picture_rules(size, transform.interpolation.value, transform.mean, transform.std, (crop[0], crop[-1]))
    config = {"architecture": name} | source_of(torchvision, name, str(chosen or "random"))
    return export_pictures(model, None, "input", rules, config, chosen and chosen.meta["categories"], transform)


def export_transformers(name):
    """a picture model (there is a preprocessor_config.json) or a text encoder"""
    transformers = needed("transformers")
    transformers.logging.set_verbosity_error()
    with explained(f"transformers cannot read {name}"):
        config = transformers.AutoConfig.from_pretrained(name)
        pictures, card = (stored_file(transformers, name, file) for file in ("preprocessor_config.json", "README.md"))
    stated = json.loads(config.to_json_string(use_diff=False))
    id2label = stated.pop("id2label", None) or {}
    stated = {key: value for key, value in stated.items() if key not in ("label2id", "_name_or_path")}
    stated["architecture"] = (config.architectures or [config.model_type])[0]
    stated |= source_of(transformers, str(name), getattr(config, "_commit_hash", None) or "local folder")
    licence = card and re.search(r"^license:\s*(\S+)", card.read_text("utf-8"), re.MULTILINE)
    if licence:
        stated["license"] = licence[1]
    if not pictures:
        return export_text(transformers, name, config, stated)
    placeholders = all(re.fullmatch(r"LABEL_\d+", label) for label in id2label.values())
    labels = None if placeholders else [id2label[key] for key in sorted(id2label, key=int)]
    return export_transformers_pictures(transformers, name, stated, labels)


def export_transformers_pictures(transformers, source, stated, labels):
    """With a head: what the head reads. Without: the model's own pooling."""
    with explained(f"transformers cannot prepare pictures for {source}"):
        processor = transformers.AutoImageProcessor.from_pretrained(source, backend="pil")
    rules = transformers_rules(json.loads(processor.to_json_string()))
    if stated["architecture"].endswith("ForImageClassification"):
        model, answer = load_pretrained(transformers.AutoModelForImageClassification, source)[0], None
    else:
        model, pooler_missing = load_pretrained(transformers.AutoModel, source)
        answer, labels = own_pooling(model, pooler_missing), None
    return export_pictures(model, answer, "pixel_values", rules, stated, labels,
                           lambda picture: processor(picture, return_tensors="np")["pixel_values"][0])


def transformers_rules(rules):
    """The processor's own file, with ConvNeXt's implied crop spelt out as its code applies it."""
    share, edge = rules.pop("crop_pct", None), rules["size"].get("shortest_edge")
    if share and edge:
        square = {"height": edge, "width": edge}
        cropped = {"size": {"shortest_edge": int(edge / share)}, "do_center_crop": True, "crop_size": square}
        rules |= cropped if edge < 384 else {"size": square}
    return rules | {"channel_order": "RGB"}


def own_pooling(model, pooler_missing):
    """The pooler if its weights are there, else the class token, else the mean."""
    class_token = any(re.search("cls_token|class_embedding", name) for name, _ in model.named_parameters())
    run = getattr(model, "get_image_features", model)

    def answer(pixels):
        found = run(pixel_values=pixels)
        if not pooler_missing and getattr(found, "pooler_output", None) is not None:
            return (pooled(found.pooler_output),)
        hidden = found.last_hidden_state
        if hidden.dim() == 3:
            hidden = hidden[:, 0] if class_token else hidden.mean(1)
        return (pooled(hidden),)

    return answer


def export_text(transformers, source, config, stated):
    """Every token's last hidden state; pooling is left to the reader of the folder."""
    if config.is_encoder_decoder:
        raise Refused(f"{source} is an encoder with a decoder; only encoders are exported")
    model, _ = load_pretrained(transformers.AutoModel, source)
    inputs = ["input_ids", "attention_mask"] + ["token_type_ids"] * (getattr(config, "type_vocab_size", 0) > 1)
    files = {name: path.read_bytes() for name in TOKENIZER_FILES if (path := stored_file(transformers, source, name))}
    if "tokenizer.json" not in files:
        with explained(f"{source} has no tokenizer.json and none can be made"):
            tokenizer = transformers.AutoTokenizer.from_pretrained(source)
            files["tokenizer.json"] = tokenizer.backend_tokenizer.to_str(pretty=True).encode()
    vocabulary = model.get_input_embeddings().num_embeddings

    def sample(batch):
        mask = (torch.arange(4 + batch, 4, -1)[:, None] > torch.arange(4 + batch)).long()
        ids = torch.randint(vocabulary, mask.shape, generator=torch.Generator().manual_seed(batch))
        return (ids, mask, torch.zeros_like(ids))[:len(inputs)]

    def answer(*values):
        return (model(**dict(zip(inputs, values))).last_hidden_state,)

    return Export(model, answer, inputs, ["last_hidden_state"], {0: "batch", 1: "sequence"}, sample,
                  stated | {"num_features": config.hidden_size, "num_labels": 0}, files)


def load_pretrained(loader, source):
    """The model in float32, and whether its pooler's weights are missing; any other missing weight is refused."""
    with explained(f"transformers cannot load {source} (from safetensors only: pickles are never loaded)"):
        model, report = loader.from_pretrained(source, use_safetensors=True, output_loading_info=True)
    missing = sorted(name for name in report["missing_keys"] if "pooler" not in name)
    if missing:
        raise Refused(f"{source} lacks {len(missing)} weights (first: {missing[0]}); they would be random")
    return model.float().eval(), bool(report["missing_keys"])


def stored_file(transformers, source, name):
    found = transformers.utils.cached_file(source, name, _raise_exceptions_for_missing_entries=False)
    return Path(found) if found else None


def export_module(module, example_input, folder, *, preprocessing, features=None, labels=None, force=False):
    """Write `folder` for a picture model of your own, in evaluation mode.

    example_input   float32 tensor [batch, 3, height, width]
    preprocessing   {"size": {"shortest_edge": 256}, "resample": 3, "image_mean": [..], "image_std": [..]}, and, if any,
                    "crop_size": {"height": 224, "width": 224}; other keys as in a Hugging Face preprocessor_config.json
    features        name of the layer whose OUTPUT are the features (a map [batch, channels, height, width] is averaged
                    over the picture); None: the input of the last Linear layer
    labels          class names, in the order of the module's output
    """
    check_target(folder, force)
    if any(layer.training for layer in module.modules()):
        raise Refused("the module is in training mode (dropout, batch statistics): call module.eval() first")
    rules = PICTURE_FLAGS | {"do_center_crop": "crop_size" in preprocessing} | preprocessing
    with explained("preprocessing cannot be carried out; see the text of export_module for what it must hold"):
        wanted = prepare(rules, Image.new("RGB", (640, 480))).shape
    if example_input.dtype != torch.float32 or example_input.shape[1:] != wanted:
        raise Refused(f"example_input is {example_input.dtype} {list(example_input.shape)}, but preprocessing gives "
                      f"torch.float32 [batch, {', '.join(map(str, wanted))}]")
    config = {"architecture": type(module).__name__} | source_of(torch, type(module).__name__, "own module")
    answer = tapped(module, features, lambda inputs, output: output) if features else None
    write(export_pictures(module, answer, "input", rules, config, labels), folder)


def export_pictures(model, answer, input_name, rules, config, labels=None, original=None):
    """No `answer`: the last Linear layer is the head. `original`: the library's preprocessing, which `rules` repeat."""
    if original:
        check_preprocessing(rules, original)
    shape = (3, *prepared_size(rules))

    def sample(batch):
        random = torch.Generator().manual_seed(batch)
        tint = torch.randn((batch, 3, 1, 1), generator=random)  # deep untrained nets average plain noise away
        return (tint + torch.randn((batch, *shape), generator=random),)

    with explained("the features cannot be taken from this model"), torch.no_grad():
        answer = answer or before_head(model, *sample(1))
        found = answer(*sample(1))
    classes = found[0].shape[1] if len(found) == 2 else 0
    config = config | {"num_features": found[-1].shape[1], "num_labels": classes}
    if labels:
        if len(labels) != classes:
            raise Refused(f"{len(labels)} class names for {classes} classes")
        config["id2label"] = {str(index): label for index, label in enumerate(labels)}
    return Export(model, answer, [input_name], ["logits", "features"][-len(found):], {0: "batch"}, sample, config,
                  {"preprocessor_config.json": as_json(rules)})


def before_head(model, pixels):
    """(logits, features): the features are the input of the last Linear layer that is called."""
    names, called = {layer: name for name, layer in model.named_modules()}, []
    with torch.nn.modules.module.register_module_forward_hook(lambda layer, *_: called.append(layer)):
        model(pixels)
    linear = [names[layer] for layer in called if isinstance(layer, torch.nn.Linear)]
    if not linear:
        raise Refused("the model has no Linear head; name a layer: export_module(..., features=\"LAYER\")")
    return tapped(model, linear[-1], lambda inputs, output: inputs[0])


def tapped(model, layer, choose):
    """(logits, features), or (features,) of a model that is no classifier: chosen from a layer's inputs and output."""
    def answer(pixels):
        caught = []
        with model.get_submodule(layer).register_forward_hook(lambda _, *values: caught.append(choose(*values))):
            found = model(pixels)
        if not caught:
            raise Refused(f"layer {layer} takes no part in the model's answer")
        logits = getattr(found, "logits", found)
        scores = torch.is_tensor(logits) and logits.dim() == 2
        return (logits, pooled(caught[-1])) if scores else (pooled(caught[-1]),)

    return answer


def pooled(features):
    """[batch, D] as it is; a map [batch, channels, height, width] averaged over the picture."""
    if not torch.is_tensor(features) or features.dim() not in (2, 4):
        raise Refused(f"the features are {getattr(features, 'shape', type(features).__name__)}, not [batch, D]; "
                      "name another layer: export_module(..., features=\"LAYER\")")
    return features.mean((2, 3)) if features.dim() == 4 else features


def picture_rules(size, filter_name, mean, std, crop):
    """preprocessor_config.json for torchvision's transforms, whose CenterCrop rounds half a pixel to even."""
    return PICTURE_FLAGS | {"size": size, "resample": FILTERS[filter_name], "image_mean": list(mean),
                            "image_std": list(std), "do_center_crop": True, "crop_rounding": "half_even",
                            "crop_size": {"height": crop[0], "width": crop[1]}}


def prepared_size(rules):
    """(height, width) of every picture after preprocessing."""
    size = rules.get("crop_size" if rules.get("do_center_crop") else "size")
    if not isinstance(size, dict) or not {"height", "width"} <= size.keys():
        raise Refused(f"preprocessing must give every picture one height and width, by size or crop_size: {size}")
    return size["height"], size["width"]


def prepare(rules, picture):
    """The rules as zoologist carries them out: float32 [3, height, width]."""
    if rules.get("do_resize"):
        size, edges = rules["size"], picture.size
        shortest = size.get("shortest_edge")
        scaled = [int(shortest * edge / min(edges)) for edge in edges] if shortest else [size["width"], size["height"]]
        picture = picture.resize(scaled, rules["resample"])
    if rules.get("do_center_crop"):
        height, width = prepared_size(rules)
        whole = round if rules.get("crop_rounding") == "half_even" else math.floor
        left, top = (whole((have - want) / 2) for have, want in zip(picture.size, (width, height)))
        picture = picture.crop((left, top, left + width, top + height))
    pixels = np.asarray(picture, np.float32) * np.float32(rules["rescale_factor"] if rules.get("do_rescale") else 1)
    if rules.get("do_normalize"):
        pixels = (pixels - np.float32(rules["image_mean"])) / np.float32(rules["image_std"])
    return pixels.transpose(2, 0, 1)


def check_preprocessing(rules, original):
    """Widths in a row give the crop every remainder of half a pixel; in noise, a shift by one pixel is seen."""
    noise = np.random.default_rng(0)
    black, white = (prepare(rules, Image.new("RGB", (520, 400), grey)).mean((1, 2)) for grey in ("black", "white"))
    for width in range(520, 528):
        picture = Image.fromarray(noise.integers(0, 256, (400, width, 3), dtype=np.uint8))
        with explained("the library cannot prepare a picture"):
            ours, theirs = prepare(rules, picture), np.asarray(original(picture))
        gaps = np.abs(ours - theirs).max((1, 2)) / (white - black) * 255 if ours.shape == theirs.shape else np.inf
        if not np.max(gaps) <= GREY_LEVELS:
            raise Refused(f"the library prepares pictures in a way zoologist cannot repeat: {np.max(gaps):.0f} grey "
                          f"levels of difference on a {width} x 400 picture; the rules tried: {rules}")


def check_target(folder, force):
    if Path(folder).exists() and not force:
        raise Refused(f"{folder} exists; --force (force=True) replaces it")
    if Path(folder).exists() and not (Path(folder) / "onnx" / "model.onnx").is_file():
        raise Refused(f"{folder} is not a model folder, so it is not replaced; name another")


def write(export, folder):
    """Export beside `folder`, check, and only then put the result in place of what may be there."""
    folder = Path(folder).absolute()
    check_model(export)
    partial = folder.parent / f".{folder.name}.{os.getpid()}.partial"
    replaced = partial.with_suffix(".replaced")
    (partial / "onnx").mkdir(parents=True)
    try:
        fill(partial, export)
        if folder.exists():
            folder.rename(replaced)
        partial.rename(folder)
        shutil.rmtree(replaced, ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def fill(folder, export):
    path = folder / "onnx" / "model.onnx"
    convert(export, path)
    check_conversion(export, path)
    for name, content in (export.files | {"config.json": as_json(export.config)}).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    for file in sorted(path.parent.iterdir()):
        with open(folder / "SHA256SUMS", "a", encoding="ascii", newline="\n") as sums:
            sums.write(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  onnx/{file.name}\n")


def convert(export, path):
    """The tracing exporter, as `dynamo=True` cannot write opset 17 for every network (torch 2.15)."""
    traced = torch.nn.Module().eval()
    traced.model, traced.forward = export.model, export.answer
    with explained("PyTorch cannot export this model to ONNX"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(traced, export.sample(2), str(path), dynamo=False, opset_version=17,
                          input_names=export.inputs, output_names=export.outputs,
                          dynamic_axes={name: export.axes for name in export.inputs + export.outputs})
    # The exporter loses sight of some lengths and gives them made-up names.
    proto = onnx.load(path, load_external_data=False)
    for output, value in zip(proto.graph.output, run(export, export.sample(1))):
        for axis in set(range(value.ndim)) - export.axes.keys():
            output.type.tensor_type.shape.dim[axis].dim_value = value.shape[axis]
    onnx.save(proto, path)


def check_model(export):
    """Refuse features that are not numbers, not repeatable, or not about the picture or text itself."""
    inputs = export.sample(3)
    with explained("the model does not run on random inputs"):
        first, again, alone = (run(export, some) for some in (inputs, inputs, [each[:1] for each in inputs]))
    if not all(np.isfinite(each).all() for each in first):
        raise Refused("the model gives NaN or infinite values; look for broken weights")
    if distance(first, again) > TOLERANCE:
        raise Refused("two runs on the same input differ: something in the model is random even in evaluation mode")
    if distance([first[-1][:1]], [first[-1][1:2]]) < 1e-6:
        raise Refused("the features do not depend on the input: two random inputs give the same")
    if distance([each[:1] for each in first], alone) > TOLERANCE:
        raise Refused("an input's features change with its neighbours in the batch: a layer uses batch statistics")


def check_conversion(export, path):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for batch in (1, 3):
        inputs = export.sample(batch)
        with explained(f"the exported model does not run at batch {batch}"):
            found = session.run(export.outputs, {name: each.numpy() for name, each in zip(export.inputs, inputs)})
        gap = distance(run(export, inputs), found)
        if not gap <= TOLERANCE:
            raise Refused(f"the exported model differs from the original at batch {batch}, by {gap:.1e} of the norm")


def run(export, inputs):
    with torch.no_grad():
        return [each.numpy() for each in export.answer(*inputs)]


def distance(expected, found):
    """The largest difference of a value, as a share of its output's mean norm."""
    norms = (np.linalg.norm(each.reshape(len(each), -1), axis=1).mean() for each in expected)
    return np.max([np.abs(one - other).max() / max(norm, 1e-30) for one, other, norm in zip(expected, found, norms)])


def needed(module):
    with explained(f"{module} cannot be imported: pip install {module.split('.')[0]}"):
        return importlib.import_module(module)


@contextmanager
def explained(what):
    """Whatever a library raises inside becomes a refusal that says what was tried."""
    try:
        yield
    except Refused:
        raise
    except Exception as fault:
        raise Refused(f"{what}\n{type(fault).__name__}: {str(fault)[:600]}") from fault


def source_of(library, model, weights):
    return {"source": {"library": library.__name__, "version": library.__version__, "model": model, "weights": weights}}


def as_json(value):
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    libraries = parser.add_subparsers(required=True, metavar="timm | torchvision | transformers")
    for exporter in (export_timm, export_torchvision, export_transformers):
        library = libraries.add_parser(exporter.__name__.removeprefix("export_"), help=exporter.__doc__)
        library.set_defaults(exporter=exporter)
        library.add_argument("name", help="its name in the library; for transformers, on the hub, or a local folder")
        library.add_argument("-o", "--output", required=True, metavar="FOLDER", help="model folder to write")
        library.add_argument("--force", action="store_true", help="replace the folder if it exists")
    weights = libraries.choices["timm"].add_mutually_exclusive_group()
    weights.add_argument("--random", action="store_true", help="seeded random weights")
    weights.add_argument("--checkpoint", metavar="FILE", help="weights from a safetensors file")
    libraries.choices["torchvision"].add_argument("--weights", default="DEFAULT", help="DEFAULT, a name, or none")
    return vars(parser.parse_args())


def main():
    options = arguments()
    exporter, folder, force = (options.pop(key) for key in ("exporter", "output", "force"))
    os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
    try:
        check_target(folder, force)
        write(export := exporter(**options), folder)
    except Refused as refusal:
        sys.exit(f"error: {refusal}")
    print(f"{folder}: {' and '.join(export.outputs)} ({export.config['num_features']} wide), checked on ONNX Runtime")


if __name__ == "__main__":
    main()
