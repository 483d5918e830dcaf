"""One ranking of one model by the package transformer-ranker, a process of its own, for benches/text_ranking.py.

    python text_ranking_peer.py MODEL DATA.csv TEXT LABEL AGGREGATION METRIC THREADS

Prints one JSON document: the value, the number of texts, and the seconds of the imports, of reading and preparing the
data, and of the ranking. AGGREGATION is one of the package's, or `lastlayer-mended`: version 0.2.0 asks its embedder
for layer "0", having put the embedding aside, so that its `lastlayer` is the output of the first layer.
"""

import time

BEGUN = time.perf_counter()

import csv
import json
import os
import sys

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}

import torch
from datasets import Dataset
from transformer_ranker import TransformerRanker, ranker
from transformer_ranker.embedder import Embedder


class LastLayer(Embedder):
    """Takes the last layer where the first is asked for."""

    def __init__(self, *args, layer_ids="all", **rest):
        super().__init__(*args, layer_ids="-1" if layer_ids == "0" else layer_ids, **rest)


def main(model, data, text, label, aggregation, metric, threads):
    torch.set_num_threads(int(threads))
    imported = time.perf_counter()
    with open(data, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = {name: [row[name] for row in rows] for name in (text, label)}
    ranking = TransformerRanker(Dataset.from_dict(columns), text_column=text, label_column=label)
    prepared = time.perf_counter()
    if aggregation == "lastlayer-mended":
        ranker.Embedder = LastLayer
    result = ranking.run([model], estimator=metric, layer_aggregator=aggregation.removesuffix("-mended"))
    ended = time.perf_counter()
    seconds = {"imports": imported - BEGUN, "data": prepared - imported, "ranking": ended - prepared}
    (value,) = result.scores.values()
    print(json.dumps({"value": value, "n": len(ranking.texts), "seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
