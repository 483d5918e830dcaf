"""Is a tuned ONNX folder what other programs need? Its predictions by onnxruntime in Python against `zoologist predict`.

    python benches/tuned_onnx.py demo/zoo/efficientnet_lite0 path/to/class/folders
    python benches/tuned_onnx.py demo/zoo-text/all-MiniLM-L6-v2 texts.csv

For each of probe, head and head2toe: tunes on a sample, then predicts all samples twice. Texts are tokenized by the
folder's tokenizer.json; pictures are prepared by Pillow as preprocessor_config.json says. Ends with 1 where a label that is
not a near tie differs, or a probability by more than .1 (pictures: two resizers round differently) or 1e-4 (texts).

Needs: onnxruntime, numpy, Pillow, tokenizers.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnxruntime

ZOOLOGIST = Path(__file__).resolve().parent.parent / "target/release/zoologist"
FILTERS = {0: "NEAREST", 1: "LANCZOS", 2: "BILINEAR", 3: "BICUBIC"}


def zoologist(*arguments: object) -> dict:
    """The JSON of a run."""
    done = subprocess.run([ZOOLOGIST, *map(str, arguments), "--json", "--quiet"], check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def picture(path: Path, rule: dict) -> dict[str, np.ndarray]:
    """A picture as the folder says."""
    from PIL import Image

    image, how = Image.open(path).convert("RGB"), getattr(Image.Resampling, FILTERS[rule["resample"]])
    if "shortest_edge" in rule["size"]:
        edge, (width, height) = rule["size"]["shortest_edge"], image.size
        short, long = min(width, height), max(width, height)
        other = int(edge * long / short)
        image = image.resize((edge, other) if width <= height else (other, edge), how)
    else:
        image = image.resize((rule["size"]["width"], rule["size"]["height"]), how)
    if rule["do_center_crop"]:
        high, wide = rule["crop_size"]["height"], rule["crop_size"]["width"]
        left, top = (image.width - wide) // 2, (image.height - high) // 2
        image = image.crop((left, top, left + wide, top + high))
    pixels = np.asarray(image, np.float32) * np.float32(rule["rescale_factor"])
    tensor = (pixels - np.float32(rule["image_mean"])) / np.float32(rule["image_std"])
    return {"pixels": tensor.transpose(2, 0, 1)[None].astype(np.float32)}


def text(words: str, tokenizer: object) -> dict[str, np.ndarray]:
    """A text as ids, mask and types."""
    found = tokenizer.encode(words)
    lists = {"input_ids": found.ids, "attention_mask": found.attention_mask, "token_type_ids": found.type_ids}
    return {name: np.array([values], np.int64) for name, values in lists.items()}


def by_python(folder: Path, data: Path, samples: list[str]) -> np.ndarray:
    """Probabilities by onnxruntime."""
    session = onnxruntime.InferenceSession(str(folder / "onnx/model.onnx"), providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    logits = json.loads((folder / "config.json").read_text())["zoologist"]["logits"]
    if data.is_dir():
        rule = json.loads((folder / "preprocessor_config.json").read_text())
        feeds = ({names[0]: picture(data / sample, rule)["pixels"]} for sample in samples)
    else:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_padding()
        limit = json.loads((folder / "sentence_bert_config.json").read_text()).get("max_seq_length", 512)
        tokenizer.enable_truncation(limit)
        with data.open(newline="") as file:
            texts = [row["text"] for row in csv.DictReader(file)][:len(samples)]
        feeds = ({name: value for name, value in text(words, tokenizer).items() if name in names} for words in texts)
    outputs = np.concatenate([session.run([logits], feed)[0] for feed in feeds]).astype(np.float64)
    powers = np.exp(outputs - outputs.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def main(model: str, data: str) -> int:
    good = True
    for way in ["probe", "head", "head2toe"]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "tuned"
            tuned = zoologist("tune", model, data, "--how", way, "--samples", "400", "-o", folder)
            found = zoologist("predict", folder, data)
            own = np.array([it["outputs"] for it in found["predictions"]])[:400]
            other = by_python(folder, Path(data), [it["sample"] for it in found["predictions"]][:400])
        largest = np.abs(own - other).max()
        ordered = np.sort(own, 1)
        clear = ordered[:, -1] - ordered[:, -2] > 2 * largest
        differ = int((own.argmax(1) != other.argmax(1)).sum())
        clearly = int((own.argmax(1) != other.argmax(1))[clear].sum())
        print(f"{Path(model).name} {way:9} {len(own)} samples: {differ} labels differ ({clearly} clearly), largest difference of a "
              f"probability {largest:.1e}; accuracy {tuned['judgement']['value']:.3f} on held-out samples", flush=True)
        good &= clearly == 0 and largest <= (0.1 if Path(data).is_dir() else 1e-4)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
