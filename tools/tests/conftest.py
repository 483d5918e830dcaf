"""The tool lies beside this folder; models are small, with seeded random weights: no network, no download."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
