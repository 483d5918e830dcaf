"""What timm computes for networks whose weights follow from a formula: features and gradients, one JSON per network.

    python make_reference.py                  all networks, beside this script
    python make_reference.py resnet18 …       some

The other side of the comparison fills its weights by the same formula, so no file of weights is needed. Weights and
pictures are of single precision, the computing is of double precision. Needs: tools/requirements-test.txt.

The formula: element i (row-major) of a tensor is r = (splitmix64(h + i) >> 40) / 2^24 - 0.5, where h is the 64-bit FNV-1a
hash of the tensor's name, and from r

    running_var                               1 + r
    running_mean                              0.2 r
    other tensors of one dimension            weight: 1 + 0.4 r, bias: 0.2 r
    cls_token, pos_embed                      0.2 r
    all others                                r * 3.4 / sqrt(fan_in), fan_in the product of all dimensions but the first
    the pictures, named `input`               2 r
    the factors of the loss, `cotangent`      r (the loss is their scalar product with the features, over the batch)

in double precision, rounded to single.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import timm
import torch

BATCH = 2
CONVOLUTIONAL, TRANSFORMER = (BATCH, 3, 64, 64), (BATCH, 3, 224, 224)
INPUT_SHAPES = {
    "resnet18": CONVOLUTIONAL,
    "resnet50": CONVOLUTIONAL,
    "resnet26d": CONVOLUTIONAL,
    "tf_efficientnet_lite0": CONVOLUTIONAL,
    "mobilenetv2_100": CONVOLUTIONAL,
    "vit_tiny_patch16_224": TRANSFORMER,
    "vit_small_patch32_224": TRANSFORMER,
}
"""The shape of the pictures, by timm's name of the network."""

FNV_OFFSET, FNV_PRIME, MASK = 0xCBF29CE484222325, 0x100000001B3, 2**64 - 1

BLOCK = re.compile(r"(layer\d+|blocks(\.\d+)?)\.\d+")

EMBEDDINGS = ("cls_token", "pos_embed")

DIGITS = 9
"""Significant digits of what is written."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("architectures", nargs="*", metavar="NAME", help=", ".join(INPUT_SHAPES))
    for architecture in parser.parse_args().architectures or INPUT_SHAPES:
        file = Path(__file__).parent / f"{architecture}.json"
        file.write_text(in_lines(reference(architecture, INPUT_SHAPES[architecture])))


def reference(architecture: str, input_shape: tuple[int, ...]) -> dict:
    """All that is written of a network."""
    model = timm.create_model(architecture, pretrained=False, num_classes=0).double().eval()
    tensors = fill(model)
    pictures = torch.from_numpy(uniform("input", input_shape) * 2).float().double()
    with block_means(model) as blocks:
        features = model.forward_head(model.forward_features(pictures), pre_logits=True)
    factors = torch.from_numpy(uniform("cotangent", tuple(features.shape))).float().double()
    (features * factors).sum().backward()
    return {
        "architecture": architecture,
        "timm": timm.__version__,
        "tensors": tensors,
        "input_shape": list(input_shape),
        "features": [[rounded(value) for value in row] for row in features.tolist()],
        "blocks": blocks,
        "gradient_norms": {name: rounded(tensor.grad.norm().item()) for name, tensor in model.named_parameters()},
    }


def fill(model: torch.nn.Module) -> int:
    """Fills the parameters and buffers of a model by the formula; how many there are."""
    tensors = {name: tensor for name, tensor in model.state_dict().items() if tensor.is_floating_point()}
    for name, tensor in tensors.items():
        tensor.copy_(torch.from_numpy(filling(name, tuple(tensor.shape))))
    return len(tensors)


def filling(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The elements of a tensor of the network, of single precision."""
    r = uniform(name, shape)
    return of_kind(name, shape)(r).astype(np.float32)


def of_kind(name: str, shape: tuple[int, ...]) -> Callable[[np.ndarray], np.ndarray]:
    """From r to the elements of a tensor of that name."""
    if name.endswith("running_var"):
        return lambda r: 1 + r
    if len(shape) == 1 and name.endswith("weight"):
        return lambda r: 1 + 0.4 * r
    if len(shape) == 1 or name in EMBEDDINGS:
        return lambda r: 0.2 * r
    return lambda r: r * 3.4 / math.sqrt(math.prod(shape[1:]))


def uniform(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The numbers r, between -0.5 and 0.5, in double precision."""
    start = functools.reduce(lambda state, byte: (state ^ byte) * FNV_PRIME & MASK, name.encode(), FNV_OFFSET)
    mixed = splitmix64(np.arange(math.prod(shape), dtype=np.uint64) + np.uint64(start))
    return ((mixed >> np.uint64(40)) / 2.0**24 - 0.5).reshape(shape)


def splitmix64(x: np.ndarray) -> np.ndarray:
    """One step of SplitMix64 from each of these states; arrays of uint64 wrap around."""
    z = x + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@contextmanager
def block_means(model: torch.nn.Module) -> Iterator[dict[str, float]]:
    """Gathers the mean of the output of every block, by the block's name: where a wrong network begins to be wrong."""
    means: dict[str, float] = {}

    def keep(name: str, _module: torch.nn.Module, _inputs: tuple, output: torch.Tensor) -> None:
        means[name] = rounded(output.mean().item())

    blocks = {name: module for name, module in model.named_modules() if is_block(name, module)}
    hooks = [module.register_forward_hook(functools.partial(keep, name)) for name, module in blocks.items()]
    yield means
    for hook in hooks:
        hook.remove()


def is_block(name: str, module: torch.nn.Module) -> bool:
    """Whether a module of timm is a block: `layer1.0` of a ResNet, `blocks.0` of a ViT, `blocks.0.0` of the others."""
    return BLOCK.fullmatch(name) is not None and not isinstance(module, torch.nn.Sequential)


def rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def in_lines(found: dict) -> str:
    """JSON with one line a key."""
    lines = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in found.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    main()
