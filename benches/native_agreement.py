"""Do the networks that are built in give what the same model's ONNX graph gives?

    make agreement-native [REFERENCE=folder]

For every model of demo/zoo and demo/zoo-text with a graph and safetensors: features of synthetic pictures or of sentences
by both, the least cosine and the largest deviation. With a REFERENCE folder the hidden states of the text encoder are
compared with its expected_text.json too. Ends with 1 on any disagreement.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from agreement import ROOT, cosine, synthetic

SENTENCES = [
    "A man plays the guitar on stage.", "Stocks fell sharply on Monday.", "Where is the nearest station?", "No.",
    "The quick brown fox jumps over the lazy dog, again and again, until nobody is surprised any more.",
]


def extract(model: Path, data: Path, folder: Path, *more: str) -> tuple[np.ndarray, dict]:
    """Features by `zoologist extract`, and what it says of them."""
    output = folder / "features.npy"
    command = [ROOT / "target/release/zoologist", "extract", model, data, "-o", output, "--json", "--quiet", *more]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=os.environ | {"ZOOLOGIST_CACHE": str(folder)})
    return np.load(output).astype(np.float64), json.loads(run.stdout)


def native_copy(model: Path, folder: Path) -> Path:
    """The model's folder without its graph."""
    copy = folder / "native" / model.name
    shutil.copytree(model, copy, ignore=shutil.ignore_patterns("onnx", "SHA256SUMS"))
    return copy


def compare(model: Path, data: Path, folder: Path) -> bool:
    """Prints how far both forms of a model are apart."""
    (graph, _), (native, _) = extract(model, data, folder), extract(native_copy(model, folder), data, folder)
    least = min(cosine(a, b) for a, b in zip(graph, native))
    largest = np.abs(graph - native).max() / np.abs(graph).max()
    print(f"{model.name:28} least cosine {least:.8f}, largest deviation {largest:.1e} of the largest number", flush=True)
    return least >= 0.9999


def states_agree(model: Path, reference: Path, folder: Path) -> bool:
    """Hidden states of every layer, pooled by mean and by [CLS], against the stated first 16 numbers and lengths."""
    expected = json.loads((reference / "expected_text.json").read_text())
    table = folder / "expected.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([["text"], *[[sentence] for sentence in expected["sentences"]]])
    copy, worst = native_copy(model, folder / "states"), 0.0
    for pooling in ["mean", "cls"]:
        options = ["--layers", "all", "--text", "text", "--pooling", pooling]
        features, facts = extract(copy, table, folder, *options)
        width = facts["layers"][0]["dim"]
        for layer, stated in expected["models"][model.name]["layers"].items():
            for row, fact in zip(features, stated[pooling]):
                own = row[int(layer) * width:(int(layer) + 1) * width]
                worst = max(worst, np.abs(own[:16] - np.array(fact["first16"])).max(), abs(np.linalg.norm(own) - fact["l2"]))
    print(f"{model.name:28} hidden states: largest deviation {worst:.1e} from the stated ones")
    return worst <= 1e-4


def main() -> int:
    good = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures, table = folder / "pictures", folder / "sentences.csv"
        pictures.mkdir()
        synthetic(pictures)
        with table.open("w", newline="") as file:
            csv.writer(file).writerows([["text"], *[[sentence] for sentence in SENTENCES]])
        for zoo, data in [("demo/zoo", pictures), ("demo/zoo-text", table)]:
            for model in sorted((ROOT / zoo).iterdir()):
                if (model / "model.safetensors").is_file() and (model / "onnx/model.onnx").is_file():
                    with tempfile.TemporaryDirectory() as own:
                        good &= compare(model, data, Path(own))
        if len(sys.argv) > 1 and sys.argv[1]:
            good &= states_agree(ROOT / "demo/zoo-text/all-MiniLM-L6-v2", Path(sys.argv[1]), folder)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
