"""Fine-tuning a text encoder in PyTorch, by the recipe that the product follows: accuracy and cost to compare with.

    python benches/fine_tuning_torch.py path/to/all-MiniLM-L6-v2 path/to/sst2 --train 1000

MODEL is a folder with config.json, model.safetensors and tokenizer.json. DATA is a folder with train and test as .csv,
.tsv or .jsonl, or one such file with a column `split`, or with --train-rows and --test-rows: files of row numbers, from
0, one a line. For every seed the rows of the train split, in the order of the file, are shuffled by numpy's
default_rng(seed) and the first N taken; listed rows are taken as listed. All rows of the test split are predicted.

The recipe: mean of the last layer's states over the real tokens, [CLS] and [SEP] among them, without L2
normalisation; a linear head drawn from N(0, 0.02), bias 0; cross entropy; AdamW, decay on matrices only (embeddings are
matrices); the learning rate rises over the first tenth of the steps, the first step not at 0, then falls to 0 as a
cosine; gradients are clipped to a common norm. All layers learn, embeddings too. Every epoch has an order of its own; a
batch is padded to its longest text. Single precision.

CPU seconds are those of all threads in the training loop, without reading, tokenizing and testing.

Needs: tools/requirements-test.txt.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import resource
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import AutoModel, PreTrainedModel
from transformers.utils import logging

HEAD_DEVIATION, WARM_UP, LARGEST_NORM, WEIGHT_DECAY = 0.02, 0.1, 1.0, 0.01
TEST_BATCH = 64
DELIMITERS = {".csv": ",", ".tsv": "\t"}

Row = dict[str, str]


@dataclass(frozen=True)
class Samples:
    """Texts as token ids, and their classes."""

    ids: list[list[int]]
    classes: list[int]

    def batch(self, positions: list[int]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Ids and mask (batch, longest text) and classes (batch) of the samples at `positions`."""
        lengths = torch.tensor([len(self.ids[position]) for position in positions])
        mask = (torch.arange(int(lengths.max())) < lengths[:, None]).long()
        ids = torch.zeros_like(mask)
        for row, position in enumerate(positions):
            ids[row, : lengths[row]] = torch.tensor(self.ids[position])
        return ids, mask, torch.tensor([self.classes[position] for position in positions])


class Classifier(torch.nn.Module):
    """An encoder, the mean of its tokens, a linear head."""

    def __init__(self, encoder: PreTrainedModel, class_count: int) -> None:
        super().__init__()
        self.encoder, self.head = encoder, torch.nn.Linear(encoder.config.hidden_size, class_count)
        torch.nn.init.normal_(self.head.weight, std=HEAD_DEVIATION)
        torch.nn.init.zeros_(self.head.bias)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """The logits (batch, classes)."""
        states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        real = mask[:, :, None].to(states.dtype)
        return self.head((states * real).sum(1) / real.sum(1))


def main() -> None:
    arguments = parsed()
    torch.set_num_threads(arguments.threads)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    train, test = splits(arguments)
    names = sorted({row[arguments.label] for row in train + test})
    test_samples = tokenized(test, names, arguments)
    print(
        f"{arguments.model.name}, {arguments.data.name}: {arguments.train} of {len(train)} rows, {len(test)} to test, "
        f"{len(names)} classes, {arguments.epochs} epochs, {arguments.threads} thread(s), torch {torch.__version__}"
    )
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.2f} before the run")
    print(f"{'seed':>5}{'accuracy':>10}{'CPU s':>9}{'wall s':>9}", flush=True)
    report([run(seed, train, names, test_samples, arguments) for seed in arguments.seeds])


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--text", default="text", help="the column of the texts")
    parser.add_argument("--label", default="label", help="the column of the labels")
    parser.add_argument("--train", type=int, default=1000, help="how many rows to train on")
    parser.add_argument("--train-rows", type=Path, help="a file of row numbers")
    parser.add_argument("--test-rows", type=Path, help="a file of row numbers")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=5e-5)
    parser.add_argument("--length", type=int, default=48, help="the most tokens of a text")
    parser.add_argument("--seeds", type=lambda text: [int(seed) for seed in text.split(",")], default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dropout", action="store_true", help="dropout in the encoder as its config.json says")
    arguments = parser.parse_args()
    if (arguments.train_rows is None) != (arguments.test_rows is None):
        parser.error("--train-rows and --test-rows go together")
    return arguments


def splits(arguments: argparse.Namespace) -> tuple[list[Row], list[Row]]:
    """The rows to train on, or to draw those from, and the rows to test on."""
    if arguments.data.is_dir():
        train, test = (table(next(arguments.data.glob(f"{split}.*"))) for split in ("train", "test"))
        return train, test
    rows = table(arguments.data)
    if arguments.train_rows is None:
        train, test = ([row for row in rows if row["split"] == split] for split in ("train", "test"))
        return train, test
    listed = ([int(line) for line in file.read_text().split()] for file in (arguments.train_rows, arguments.test_rows))
    train, test = ([rows[number] for number in numbers] for numbers in listed)
    arguments.train = len(train)
    return train, test


def table(file: Path) -> list[Row]:
    """The rows of a file."""
    with file.open(encoding="utf-8", newline="") as lines:
        if file.suffix in DELIMITERS:
            return list(csv.DictReader(lines, delimiter=DELIMITERS[file.suffix]))
        return [json.loads(line) for line in lines if line.strip()]


def tokenized(rows: list[Row], names: list[str], arguments: argparse.Namespace) -> Samples:
    """The rows as the network takes them."""
    tokenizer = Tokenizer.from_file(str(arguments.model / "tokenizer.json"))
    tokenizer.enable_truncation(arguments.length)
    tokenizer.no_padding()
    encodings = tokenizer.encode_batch([row[arguments.text] for row in rows])
    return Samples([encoding.ids for encoding in encodings], [names.index(row[arguments.label]) for row in rows])


def run(seed: int, train: list[Row], names: list[str], test: Samples, arguments: argparse.Namespace) -> list[float]:
    """Accuracy, CPU seconds and wall seconds of one seed."""
    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    if arguments.train_rows is None:
        train = [train[position] for position in random.permutation(len(train))[: arguments.train]]
    samples = tokenized(train, names, arguments)
    classifier = Classifier(encoder(arguments), len(names))
    cpu, wall = time.process_time(), time.perf_counter()
    fine_tune(classifier, samples, random, arguments)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    found = [accuracy(classifier, test), cpu, wall]
    print(f"{seed:5}{line(found)}", flush=True)
    return found


def encoder(arguments: argparse.Namespace) -> PreTrainedModel:
    """The encoder of the folder, without its pooler."""
    without = {} if arguments.dropout else {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    return AutoModel.from_pretrained(
        arguments.model, local_files_only=True, dtype=torch.float32, add_pooling_layer=False, **without
    )


def fine_tune(
    classifier: Classifier, samples: Samples, random: np.random.Generator, arguments: argparse.Namespace
) -> None:
    """The training loop."""
    batches = list(epochs(len(samples.ids), random, arguments))
    optimiser = adam_w(classifier, arguments.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate(step, len(batches)))
    classifier.train()
    for positions in batches:
        ids, mask, classes = samples.batch(positions)
        loss = torch.nn.functional.cross_entropy(classifier(ids, mask), classes)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(classifier.parameters(), LARGEST_NORM)
        optimiser.step()
        schedule.step()


def epochs(sample_count: int, random: np.random.Generator, arguments: argparse.Namespace) -> Iterator[list[int]]:
    """The samples of every step."""
    for _ in range(arguments.epochs):
        order = random.permutation(sample_count).tolist()
        for start in range(0, sample_count, arguments.batch):
            yield order[start : start + arguments.batch]


def adam_w(classifier: Classifier, learning_rate: float) -> torch.optim.Optimizer:
    """AdamW with decay on matrices alone; the fused kind, which is PyTorch's fastest."""
    matrices = [parameter for parameter in classifier.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in classifier.parameters() if parameter.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.999), eps=1e-8, fused=True)


def rate(step: int, step_count: int) -> float:
    """The learning rate of a step, from 0, as a share of the largest."""
    warm_up = math.ceil(WARM_UP * step_count)
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(step_count - warm_up, 1)))


@torch.inference_mode()
def accuracy(classifier: Classifier, samples: Samples) -> float:
    """The share of the samples whose class is predicted."""
    classifier.eval()
    by_length = sorted(range(len(samples.ids)), key=lambda position: len(samples.ids[position]))
    right = 0
    for start in range(0, len(by_length), TEST_BATCH):
        ids, mask, classes = samples.batch(by_length[start : start + TEST_BATCH])
        right += int((classifier(ids, mask).argmax(1) == classes).sum())
    return right / len(samples.ids)


def report(runs: list[list[float]]) -> None:
    """Means and standard deviations over the seeds, and the peak of the memory."""
    columns = list(zip(*runs))
    print(f"{'mean':>5}{line([statistics.mean(column) for column in columns])}")
    if len(runs) > 1:
        print(f"{'sd':>5}{line([statistics.stdev(column) for column in columns])}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def line(found: list[float]) -> str:
    share, cpu, wall = found
    return f"{share:10.4f}{cpu:9.2f}{wall:9.2f}"


if __name__ == "__main__":
    main()
