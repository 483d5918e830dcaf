"""Whether a race finds what the full pass finds, and what it saves, over many seeds.

    make racing DATA="path/to/one path/to/another"                    # pictures, with the zoo of `make demo`
    make racing DATA=texts.csv ZOO=demo/zoo-text SEEDS=50             # texts, with the zoo of `make demo-text`

Each model's pass over all layers is made once (`zoologist extract --layers all`, kept in benches/work), then the race is
replayed for every seed by `crates/zoologist/benches/racing.rs`, which says what the figures mean.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "target/release/zoologist"


def models(zoo):
    listed = subprocess.run([PROGRAM, "zoo", "list", zoo, "--json"], stdout=subprocess.PIPE, text=True, check=True)
    return [model["name"] for model in json.loads(listed.stdout)["models"]]


def features(zoo, model, data, folder):
    """Makes the features of one model, unless they are there."""
    target, said = folder / f"{model}.npy", folder / f"{model}.json"
    if target.exists() and said.exists():
        return
    command = [PROGRAM, "extract", Path(zoo) / model, data, "--layers", "all", "-o", target, "--json", "--quiet"]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    said.write_text(found.stdout)


def main(zoo, seeds, sets):
    for data in sets:
        folder = ROOT / "benches/work/racing" / "-".join(Path(data).resolve().parts[-2:])
        folder.mkdir(parents=True, exist_ok=True)
        for model in models(zoo):
            features(zoo, model, data, folder)
        bench = ["cargo", "bench", "--locked", "--quiet", "-p", "zoologist", "--bench", "racing", "--"]
        subprocess.run([*bench, os.path.abspath(data), folder, seeds], cwd=ROOT, check=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
