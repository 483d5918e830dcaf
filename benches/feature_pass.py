"""Throughput of the whole feature pass against a straightforward Python loop, in one run on one machine.

    make bench DATA=path/to/class/folders

The peer reads, decodes, resizes, normalises and infers with Pillow, numpy and onnxruntime at two threads, at batch sizes
1, 16 and 32, and saves a .npy file. Ours is the whole process `zoologist extract` at two threads with an empty cache:
start, hashing of the data, loading, inference, the store and the .npy file included. Runs alternate; medians are
compared. Only the session's creation counts for the peer, not Python's imports.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnxruntime
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
MODELS = ["mobilenet_v2_deepsort", "efficientnet_lite0"]
BATCHES = [1, 16, 32]
ROUNDS = 3
THREADS = 2


def prepared(path, rule):
    """One picture as the model wants it, the way most people write it."""
    picture = Image.open(path).convert("RGB")
    edge, size = rule["size"]["shortest_edge"], rule["crop_size"]["height"]
    width, height = picture.size
    short = min(width, height)
    picture = picture.resize((edge * width // short, edge * height // short), rule["resample"])
    left, top = (picture.width - size) // 2, (picture.height - size) // 2
    pixels = np.asarray(picture.crop((left, top, left + size, top + size)), np.float32)
    values = (pixels / 255 - np.float32(rule["image_mean"])) / np.float32(rule["image_std"])
    return values.transpose(2, 0, 1)


def python_loop(model, files, batch, output):
    """Seconds of the peer's pass."""
    begun = time.perf_counter()
    rule = json.loads((model / "preprocessor_config.json").read_text())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(model / "onnx/model.onnx", options, providers=["CPUExecutionProvider"])
    rows = []
    for start in range(0, len(files), batch):
        pictures = np.stack([prepared(file, rule) for file in files[start : start + batch]])
        rows.append(session.run(["features"], {"input": pictures})[0])
    np.save(output, np.concatenate(rows))
    return time.perf_counter() - begun


def ours(model, data, output, runtime):
    """Seconds of our whole process, with an empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        command = [ROOT / "target/release/zoologist", "extract", model, data, "-o", output, "--quiet"]
        command += ["--threads", str(THREADS), "--runtime", runtime]
        begun = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"ZOOLOGIST_CACHE": cache})
        return time.perf_counter() - begun


def main(data):
    files = sorted(path for path in Path(data).rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"})
    print(f"{len(files)} pictures, {THREADS} threads, {ROUNDS} rounds, medians; pictures per second (ratio: ours / peer)")
    with tempfile.TemporaryDirectory() as folder:
        for name in MODELS:
            model = ROOT / "demo/zoo" / name
            runs = {("python", batch): [] for batch in BATCHES} | {("ours", r): [] for r in ["onnxruntime", "rten"]}
            for _ in range(ROUNDS):
                for (who, how), seconds in runs.items():
                    output = Path(folder) / f"{who}_{how}.npy"
                    one = python_loop(model, files, how, output) if who == "python" else ours(model, data, output, how)
                    seconds.append(one)
            rates = {key: len(files) / statistics.median(seconds) for key, seconds in runs.items()}
            report(name, rates)
            agree(Path(folder))


def report(name, rates):
    best = max(rates["python", batch] for batch in BATCHES)
    print(f"\n{name}")
    for batch in BATCHES:
        print(f"  Python loop, batch {batch:2}      {rates['python', batch]:7.1f}")
    for runtime in ["onnxruntime", "rten"]:
        rate = rates["ours", runtime]
        ratios = f"{rate / rates['python', 1]:.2f} of batch 1, {rate / best:.2f} of the best batch"
        print(f"  zoologist, {runtime:11}     {rate:7.1f}   {ratios}")


def agree(folder):
    """Both must have computed the same thing, or the comparison is void."""
    peer, own = np.load(folder / "python_1.npy"), np.load(folder / "ours_onnxruntime.npy")
    cosine = (peer * own).sum(1) / np.linalg.norm(peer, axis=1) / np.linalg.norm(own, axis=1)
    print(f"  cosine of the features, least {cosine.min():.5f}, median {np.median(cosine):.6f}")


if __name__ == "__main__":
    main(sys.argv[1])
