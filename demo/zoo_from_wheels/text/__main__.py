"""`python -m zoo_from_wheels.text WHEELS ZOO NAME…`: converts the named models, one line each to standard error."""

from __future__ import annotations

import sys
from pathlib import Path

from .. import ConversionError
from .convert import TextConverter
from .models import TEXT_MODELS


def main(wheels: str, zoo: str, *names: str) -> int:
    """The exit code."""
    converter = TextConverter(Path(wheels), Path(zoo))
    for model in (model for model in TEXT_MODELS if model.name in names):
        try:
            deviation = converter.convert(model)
        except ConversionError as error:
            print(f"demo: {model.name}: {error}", file=sys.stderr)
            return 1
        print(f"demo: {model.name} converted, within {deviation:.0e} of the reference", file=sys.stderr, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
