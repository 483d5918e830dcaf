"""Do both runtimes give the same features, and do they agree with reference outputs made elsewhere?

    make agreement [REFERENCE=folder]

For every model of demo/zoo and a few synthetic pictures: the cosine between the features of rten and of ONNX Runtime.
With a REFERENCE folder (expected.json, <model>.onnx, images/, resized/): our features of the pictures that are already
resized against the reference graph run by onnxruntime on the same tensor, and against the first 16 values and the norm
that expected.json states; and our features of the original pictures against the same. Ends with 1 on any disagreement.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnxruntime

ROOT = Path(__file__).resolve().parent.parent
ZOO = ROOT / "demo/zoo"


def features(model, pictures, runtime, cache):
    """Our features of a folder of pictures, by file name."""
    output = Path(cache) / "features.npy"
    command = [ROOT / "target/release/zoologist", "extract", model, pictures, "-o", output, "--runtime", runtime]
    run = subprocess.run(
        [*command, "--json", "--quiet"], check=True, stdout=subprocess.PIPE, env=os.environ | {"ZOOLOGIST_CACHE": cache}
    )
    return dict(zip(json.loads(run.stdout)["rows"], np.load(output).astype(np.float64)))


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def synthetic(folder):
    """Binary PPM would need a decoder of its own; plain 24-bit BMP is written by hand."""
    random = np.random.default_rng(0)
    for number in range(6):
        height, width = 200 + 37 * number, 320 - 29 * number
        y, x = np.mgrid[:height, :width]
        waves = [127 + 90 * np.sin((x * a + y * b) / 40 + number) for a, b in [(1, 2), (3, 1), (2, 3)]]
        pixels = np.clip(np.stack(waves, 2) + random.normal(0, 25, (height, width, 3)), 0, 255).astype(np.uint8)
        rows = np.pad(pixels[::-1, :, ::-1].reshape(height, -1), ((0, 0), (0, -3 * width % 4)))
        head = b"BM" + np.array([54 + rows.size, 0, 54, 40, width, height], "<u4").tobytes()
        head += np.array([1, 24], "<u2").tobytes() + np.array([0, rows.size, 2835, 2835, 0, 0], "<u4").tobytes()
        (folder / f"{number}.bmp").write_bytes(head + rows.tobytes())


def runtimes_agree():
    """The least cosine per model between the two runtimes."""
    worst = 1.0
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder) / "pictures"
        pictures.mkdir()
        synthetic(pictures)
        for model in sorted(path for path in ZOO.iterdir() if path.is_dir()):
            one, other = (features(model, pictures, runtime, folder) for runtime in ["rten", "onnxruntime"])
            least = min(cosine(one[name], other[name]) for name in one)
            worst = min(worst, least)
            print(f"{model.name:24} rten against onnxruntime: least cosine {least:.7f}")
    return worst >= 0.9999


def without_resizing(model, folder):
    """A copy of a model folder whose pictures are fed as they are."""
    copy = Path(folder) / model.name
    shutil.copytree(model, copy)
    path = copy / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"do_resize": False, "do_center_crop": False}))
    return copy


def reference_agrees(reference):
    """Our features against the reference graphs and the stated values."""
    expected = json.loads((reference / "expected.json").read_text())
    good = True
    for name, facts in expected["models"].items():
        rule = json.loads((ZOO / name / "preprocessor_config.json").read_text())
        session = onnxruntime.InferenceSession(reference / f"{name}.onnx", providers=["CPUExecutionProvider"])
        for runtime in ["onnxruntime", "rten"]:
            with tempfile.TemporaryDirectory() as folder:
                ready = Path(folder) / "ready"
                ready.mkdir()
                for fact in facts["images"].values():
                    shutil.copy(reference / fact["resized"], ready)
                resized = features(without_resizing(ZOO / name, folder), ready, runtime, folder)
                originals = features(ZOO / name, reference / "images", runtime, folder)
            rows = [compared(facts["images"][p], p, resized, originals, reference, rule, session) for p in facts["images"]]
            graph, first, norm, whole = (max(column) for column in zip(*rows))
            print(
                f"{name:24} {runtime:12} resized: 1 - cosine to the graph {graph:.1e}, first 16 {first:.1e}, "
                f"norm {norm:.1e}; originals: 1 - cosine {whole:.1e}"
            )
            good &= graph <= 1e-4 and first <= 1e-3 and norm <= 1e-3 and whole <= 1e-3
    return good


def compared(fact, picture, resized, originals, reference, rule, session):
    """Four deviations for one picture; of the first 16 values relative to the largest of them."""
    own = resized[Path(fact["resized"]).name]
    pixels = pixels_of(reference / fact["resized"])
    tensor = (pixels / np.float32(255) - np.float32(rule["image_mean"])) / np.float32(rule["image_std"])
    graph = session.run(["features"], {"input": tensor.transpose(2, 0, 1)[None].astype(np.float32)})[0][0].astype(float)
    stated = np.array(fact["features"]["first16"])
    first = np.abs(own[:16] - stated).max() / np.abs(stated).max()
    norm = abs(np.linalg.norm(own) / fact["features"]["l2"] - 1)
    return 1 - cosine(own, graph), first, norm, 1 - cosine(originals[f"{picture}.png"], graph)


def pixels_of(path):
    from PIL import Image  # only for references

    return np.asarray(Image.open(path).convert("RGB"), np.float32)


if __name__ == "__main__":
    agree = runtimes_agree()
    if len(sys.argv) > 1 and sys.argv[1]:
        agree &= reference_agrees(Path(sys.argv[1]))
    sys.exit(0 if agree else 1)
