"""What `prepare.py` needs of the machine: commands run quietly, and lines to the user."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

DEMO = Path(__file__).resolve().parent


class Problem(Exception):
    """What went wrong, where, and what to do."""


def run(command: list[str], complaint: str, where: Path = DEMO) -> str:
    """What a command prints; where it fails, its last words follow the complaint."""
    try:
        done = subprocess.run(command, cwd=where, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except FileNotFoundError:
        raise Problem(f"{complaint}\n  {command[0]} is not installed") from None
    except subprocess.CalledProcessError as failure:
        last_words = failure.output.decode(errors="replace").strip().splitlines()[-3:]
        raise Problem("\n  ".join([complaint, *(line[:200] for line in last_words)])) from None
    return done.stdout.decode(errors="replace")


def succeeds(command: list[str], where: Path) -> bool:
    """Whether a command, run quietly, ends well."""
    try:
        run(command, "", where)
    except Problem:
        return False
    return True


def shown(path: Path) -> str:
    """The path as seen from where the user stands."""
    return os.path.relpath(path)


def say(line: str) -> None:
    """Tells the user."""
    print(f"demo: {line}", file=sys.stderr, flush=True)
