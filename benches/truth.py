"""How well the scores' order agrees with the held-out quality of a probe (logistic; ridge for numbers), on several data sets.

    make truth DATA="path/to/one path/to/another"                  # pictures, with the zoo of `make demo`
    make truth DATA="texts.csv other.csv" ZOO=demo/zoo-text        # texts, with the zoo of `make demo-text`

Prints the weighted Kendall correlation per data set and metric, over the real models alone and with the baselines, as
`zoologist rank --truth probe` computes it.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def rank(data, zoo):
    command = [ROOT / "target/release/zoologist", "rank", data, "--zoo", zoo, "--truth", "probe", "--json", "--quiet"]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if found.returncode not in (0, 4):  # 4: some samples were left out, and are named
        sys.exit(found.returncode)
    return json.loads(found.stdout)


def number(value):
    return "none" if value is None else f"{value:.3f}"


def main(zoo, sets):
    print("| data set | scored | judged | metric | weighted Kendall, models | with baselines |")
    print("|---|---|---|---|---|---|")
    for data in sets:
        ranking = rank(data, zoo)
        truth = ranking["truth"]
        name = "/".join(Path(data).parts[-2:])
        for row in truth["agreement"]:
            values = f"{number(row['models'])} | {number(row['with_baselines'])}"
            print(f"| {name} | {ranking['data']['n']} | {truth['n']} | {row['metric']} | {values} |")
        print(f"\n{name}: " + ", ".join(f"{row['name']} {number(row['accuracy'])}" for row in truth["models"]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
