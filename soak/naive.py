"""A deliberately naive ranking, for the suites to find guilty: no lock, no checksum, nothing written whole.

For each model it appends the features of one picture after the other to a file and notes in another how many there are.
What it prints depends on all features. `self_test.py` fails if a suite lets it pass.
"""

import hashlib
import json
import os
import sys
import time
from pathlib import Path

# A forward pass.
SECONDS = 0.002


def features(model, picture):
    time.sleep(SECONDS)
    return hashlib.sha512(model.encode() + picture.read_bytes()).digest()


def computed(model, pictures):
    """The features of all pictures; goes on where the counter says."""
    job = Path(os.environ["ZOOLOGIST_CACHE"]) / "v1/jobs" / model
    job.mkdir(parents=True, exist_ok=True)
    counter, kept = job / "count", job / "features.blk"
    done = int(counter.read_text()) if counter.exists() else 0
    with kept.open("ab") as file:
        for number, picture in enumerate(pictures[done:], done + 1):
            file.write(features(model, picture))
            counter.write_text(str(number))
    return kept.read_bytes()


def rank(data, zoo):
    pictures = sorted(Path(data).rglob("*.png"))
    scores = {folder.name: sum(computed(folder.name, pictures)) for folder in sorted(Path(zoo).iterdir())}
    print(json.dumps({"models": [{"name": name, "score": score, "error": None} for name, score in scores.items()]}))


if __name__ == "__main__":
    if sys.argv[1] == "rank":
        rank(sys.argv[2], sys.argv[4])
