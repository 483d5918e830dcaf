"""`python -m zoo_from_wheels.text.facts WHEELS`: prints `expected_text.json` anew, from what the conversion gives now.

Only for who changes the table of models: the new numbers must be checked against other code before they are kept.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from . import self_check
from .convert import TextConverter
from .models import TEXT_MODELS

ABOUT = (
    "Facts for the self-check of the conversion: the ids of each sentence; and for each place in the model the pooled "
    "states of each sentence, mean of all its tokens or first token, not normalised: the first 16 values and the "
    "Euclidean norm. Printed by `python -m zoo_from_wheels.text.facts`, from graphs run by onnxruntime 1.32.0 and "
    "tables, after they had agreed to 1e-5 with numbers that other code had computed from the same weights (numpy for "
    "all-MiniLM-L6-v2 and the tables, each sentence alone)."
)


def main(wheels: str) -> None:
    """Prints the facts of all models, one list a line."""
    converter = TextConverter(Path(wheels), Path())
    models = {model.name: self_check.facts(converter.files(model)) for model in TEXT_MODELS}
    facts = {"about": ABOUT, "sentences": self_check.SENTENCES, "models": models}
    text = json.dumps(facts, indent=1, ensure_ascii=False)
    print(re.sub(r"\[[^\[\]{}\"]*\]", _on_one_line, text))


def _on_one_line(found: re.Match) -> str:
    return json.dumps(json.loads(found.group()))


if __name__ == "__main__":
    main(*sys.argv[1:])
