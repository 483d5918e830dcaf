"""Networks made of inverted residual blocks, the shape that MobileNetV2 and EfficientNet-Lite share.

A block widens the channels by a 1x1 convolution, filters each channel alone, and narrows them again; where input and
output have the same shape, they are added. Source: Sandler et al., MobileNetV2, 2018, section 3.3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain

import onnx

from .graph import GraphBuilder, Linear, NormalisedConvolution

Padding = Callable[[int, int, int], tuple[int, int]]
"""From (edge, kernel, stride) to the pixels added before and after."""

STAGE_STRIDES = (1, 2, 2, 2, 1, 2, 1)
"""The stride of the first block of each stage; both families agree on it. Every other block has stride 1."""


@dataclass(frozen=True)
class Block:
    """One inverted residual block; without `expand`, the channels are not widened."""

    expand: NormalisedConvolution | None
    depthwise: NormalisedConvolution
    project: NormalisedConvolution
    stride: int


@dataclass(frozen=True)
class Network:
    """A whole network; without `classifier` it ends at its features."""

    stem: NormalisedConvolution
    stages: Sequence[Sequence[Block]]
    head: NormalisedConvolution
    classifier: Linear | None


def block_strides(blocks_per_stage: Sequence[int]) -> list[int]:
    """The stride of every block."""
    return [
        stride if position == 0 else 1
        for count, stride in zip(blocks_per_stage, STAGE_STRIDES)
        for position in range(count)
    ]


def in_stages(blocks: Sequence[Block], blocks_per_stage: Sequence[int]) -> list[Sequence[Block]]:
    """The blocks, stage by stage."""
    ends = list(accumulate(blocks_per_stage))
    return [blocks[end - count : end] for count, end in zip(blocks_per_stage, ends)]


def to_onnx(network: Network, input_size: int, padding: Padding) -> onnx.ModelProto:
    """The network at the given input edge, with outputs `features` and, where it has a classifier, `logits`."""
    tower = _Tower(input_size, padding)
    tower.convolve(network.stem, stride=2)
    tower.clip()
    for block in chain.from_iterable(network.stages):
        tower.append(block)
    tower.convolve(network.head)
    tower.clip()
    features = tower.graph.spatial_mean(tower.top, "features")
    widths = {"features": len(network.head.weight)}
    if network.classifier is not None:
        logits = tower.graph.linear(features, network.classifier, "logits")
        widths = {logits: len(network.classifier.bias), **widths}
    return tower.graph.model(input_size, widths)


class _Tower:
    """A graph under construction that remembers its topmost tensor: name, channels and edge in pixels."""

    def __init__(self, input_size: int, padding: Padding) -> None:
        self.graph = GraphBuilder()
        self.top, self._channels, self._edge = "input", 3, input_size
        self._padding = padding

    def convolve(self, normalised: NormalisedConvolution, stride: int = 1, groups: int = 1) -> None:
        layer = normalised.folded()
        pads = self._padding(self._edge, layer.kernel, stride)
        self.top = self.graph.convolution(self.top, layer, stride, pads, groups)
        self._edge = (self._edge + sum(pads) - layer.kernel) // stride + 1
        self._channels = len(layer.bias)

    def clip(self) -> None:
        self.top = self.graph.relu6(self.top)

    def append(self, block: Block) -> None:
        bottom, channels = self.top, self._channels
        if block.expand is not None:
            self.convolve(block.expand)
            self.clip()
        self.convolve(block.depthwise, block.stride, groups=self._channels)
        self.clip()
        self.convolve(block.project)
        if block.stride == 1 and self._channels == channels:
            self.top = self.graph.add(self.top, bottom)
