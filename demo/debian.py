"""Files of the Debian archive by way of apt, which checks their signatures; nothing is installed, no privileges."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from machine import Problem, run, say, succeeds

KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def download(package: str, scratch: Path, advice: str) -> Path:
    """The downloaded package; where apt's lists do not know it, fresh lists are read into `scratch`."""
    if not succeeds(["apt-get", "download", package], scratch):
        say("apt does not know the package yet: reading the package lists")
        private = _private(scratch)
        run(["apt-get", *private, "update"], advice, scratch)
        run(["apt-get", *private, "download", package], advice, scratch)
    return next(scratch.glob("*.deb"))


def read_index(release: str, scratch: Path, advice: str) -> tuple[Path, Path]:
    """The list of packages for amd64 and the list of English descriptions of a release, whatever the user's own is."""
    sources = scratch / "sources.list"
    signed = f" signed-by={KEYS}" if KEYS.is_file() else ""
    sources.write_text(f"deb [arch=amd64{signed}] {_archive(scratch, advice)} {release} main\n")
    only = {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "-",
        "Acquire::Languages": "en",
        "Acquire::GzipIndexes": "false",
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
    }
    run(["apt-get", *_private(scratch), *_options(only), "update"], advice, scratch)
    return _only(scratch, "*_Packages", advice), _only(scratch, "*_Translation-en", advice)


def stanzas(path: Path) -> Iterator[dict[str, str]]:
    """The paragraphs of a control file, by field; the lines of a value are kept apart. See deb822(5)."""
    fields: dict[str, str] = {}
    name = ""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line[0] in " \t":
                fields[name] += f"\n{line[1:].rstrip()}"
            elif line.strip():
                name, _, value = line.partition(":")
                fields[name] = value.strip()
            elif fields:
                yield fields
                fields = {}
    if fields:
        yield fields


def _archive(scratch: Path, advice: str) -> str:
    """The address of the mirror that this machine is set up for."""
    targets = ["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian", "Label: Debian"]
    addresses = run(["apt-get", *targets], advice).split()
    if not addresses:
        private = _private(scratch / "own")
        run(["apt-get", *private, "update"], advice, scratch)
        addresses = run(["apt-get", *private, *targets], advice).split()
    if not addresses:
        raise Problem(f"{advice}\n  apt is not set up for a Debian archive here")
    return addresses[0]


def _private(scratch: Path) -> list[str]:
    """Options that keep apt's files in `scratch`."""
    lists, cache = scratch / "lists", scratch / "cache"
    for folder in (lists / "partial", cache / "archives" / "partial"):
        folder.mkdir(parents=True, exist_ok=True)
    return _options({"Dir::State::Lists": lists, "Dir::Cache": cache})


def _options(settings: dict[str, object]) -> list[str]:
    return [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]


def _only(scratch: Path, pattern: str, advice: str) -> Path:
    found = list((scratch / "lists").glob(pattern))
    if len(found) != 1:
        raise Problem(f"{advice}\n  apt wrote {len(found)} files {pattern}")
    return found[0]
