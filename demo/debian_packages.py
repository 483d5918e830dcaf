"""A real data set of free text: descriptions of Debian packages, to be sorted into the archive's sections.

Built from the index of a release that no longer changes, the choice and the split by a digest of each package's name:
so every machine gets the same rows. `DIGEST` tells whether it did.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

RELEASE = "bookworm"

DIGEST = "7a868d61c9a042c77c06ff19b915aa23c9d7e228d86627431bf5ba6d4656384b"
"""SHA-256 of `packages.csv` as built from bookworm's last point release, 12.15."""

SECTIONS = ("admin", "database", "editors", "games", "graphics", "mail", "math", "net", "science", "sound")

ROWS_PER_SECTION = 330

TEST_EVERY = 5
"""Every fifth row of a section is a test row."""

# Parts of something else: their descriptions say "this package contains" where others say what they are for.
_PART = re.compile(r"^lib|-(dev|doc|docs|dbg|dbgsym|data|common|examples|headers|tests|l10n|locales)$")

_HOLLOW = re.compile(r"\b(transitional|dummy|meta-?package)\b", re.IGNORECASE)

_ABOUT_THE_PACKAGE = re.compile(r"(this|the|an?)( [\w-]+)? package\b", re.IGNORECASE)

# Shorter ones do not say what a package is for.
_SHORTEST = 40


@dataclass(frozen=True)
class Row:
    """One text with its label and the split it belongs to."""

    text: str
    label: str
    split: str


def rows(packages: Iterable[dict[str, str]], descriptions: Iterable[dict[str, str]]) -> list[Row]:
    """The rows of the data set, in the order of their digests, from the paragraphs of both lists."""
    texts = {fields["Description-md5"]: text(fields["Description-en"]) for fields in descriptions}
    chosen: dict[str, list[tuple[str, str]]] = {section: [] for section in SECTIONS}
    seen: set[str] = set()
    for digest, fields in _in_order(packages):
        described, section = texts.get(fields.get("Description-md5", ""), ""), chosen[fields["Section"]]
        # One package of each source: its packages are described alike.
        marks = {source(fields), described}
        if len(described) >= _SHORTEST and len(section) < ROWS_PER_SECTION and not marks & seen:
            section.append((digest, described))
            seen |= marks
    found = [(digest, Row(what, name, _split(place))) for name, place, digest, what in _numbered(chosen)]
    return [row for _, row in sorted(found, key=lambda pair: pair[0])]


def text(description: str) -> str:
    """The summary and the first paragraph that says more than what the package contains."""
    summary, *lines = description.split("\n")
    paragraphs = "\n".join(lines).split("\n.\n")
    telling = (" ".join(paragraph.split()) for paragraph in paragraphs if not _ABOUT_THE_PACKAGE.match(paragraph))
    return f"{' '.join(summary.split())}. {next(telling, '')}".rstrip()


def source(fields: dict[str, str]) -> str:
    """The name of the source package, marked so that it can't be a text."""
    return f"source {fields.get('Source', fields['Package']).split()[0]}"


def table(found: list[Row]) -> bytes:
    """The rows as CSV: UTF-8, a header, `\\n`."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["text", "label", "split"])
    writer.writerows((row.text, row.label, row.split) for row in found)
    return stream.getvalue().encode()


def readme(found: list[Row], digest: str) -> bytes:
    """What stands beside the table."""
    counts = Counter(row.label for row in found)
    lines = [
        "# Descriptions of Debian packages, by section",
        "",
        f"{len(found)} texts in {len(counts)} classes. A fifth of each class has the `split` `test`.",
        f"From the index of Debian {RELEASE} (main, amd64), as built by `demo/debian_packages.py`:",
        "",
        "* text: the summary and the first paragraph that does not only say what the package contains; no name;",
        f"* left out: libraries, documentation, data and other parts; texts under {_SHORTEST} characters; all of",
        f"  a source's packages but one; equal texts; what is beyond {ROWS_PER_SECTION} of a section, by digest.",
        "",
        "A section is the archive's own choice; some packages would fit several.",
        "Licence: a description is part of its package and under its free licence; see `apt show NAME`.",
        "",
        f"`packages.csv` has the SHA-256 {digest}.",
        "",
        "| class | rows |",
        "|---|---|",
        *(f"| {label} | {count} |" for label, count in sorted(counts.items())),
    ]
    return "\n".join([*lines, ""]).encode()


def _in_order(packages: Iterable[dict[str, str]]) -> list[tuple[str, dict[str, str]]]:
    """The packages that may be chosen with the digests of their names, in the order of these."""
    wanted = (fields for fields in packages if _may_be_chosen(fields))
    return sorted(((_digest(fields["Package"]), fields) for fields in wanted), key=lambda pair: pair[0])


def _may_be_chosen(fields: dict[str, str]) -> bool:
    stands_alone = not _PART.search(fields["Package"]) and not _HOLLOW.search(fields.get("Description", ""))
    return stands_alone and fields.get("Section") in SECTIONS


def _digest(name: str) -> str:
    return hashlib.sha256(f"zoologist {name}".encode()).hexdigest()


def _numbered(chosen: dict[str, list[tuple[str, str]]]) -> Iterator[tuple[str, int, str, str]]:
    for section, members in chosen.items():
        for place, (digest, what) in enumerate(members):
            yield section, place, digest, what


def _split(place: int) -> str:
    return "test" if place % TEST_EVERY == TEST_EVERY - 1 else "train"
