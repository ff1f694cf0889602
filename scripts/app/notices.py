"""The licences of all that the app carries, collected while it is built.

Of Python packages, what their distributions bring; of libraries of the system, what Debian's or
Homebrew's packages say of them; and Python's and PyInstaller's. What has no text ends the build.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path
from typing import NamedTuple

TEXTS = re.compile(r"(licen[cs]e|copying|notice|third.?party|authors|ofl)", re.IGNORECASE)
COMMON = re.compile(r"/usr/share/common-licenses/([\w.+-]*[\w+])")
HEAD = """\
livecover is under the MIT licence. This app carries what is listed here, each under its own
licence, whose text is in the folder of its name. Libraries of the system are files of their own (in
_internal/carried): the system's go before them, and another build takes the place of one where it
has its name. Their sources, and how they were built, are those of the packages named.

"""


class Notice(NamedTuple):
    """What is carried, and the texts of its licence."""

    name: str
    version: str
    licence: str
    texts: tuple[Path, ...]


def write(folder: Path, files: Iterable[str]) -> None:
    """Write the notices of what these files belong to into a folder.

    Parameters
    ----------
    folder
        Is made anew.
    files
        The paths of all that the app carries, as they are on this machine.
    """
    shutil.rmtree(folder, ignore_errors=True)
    paths = {os.path.realpath(file) for file in files}
    notices = [*_of_python(), *_of_packages(paths), *_of_the_system(paths)]
    lines = []
    for notice in sorted(set(notices)):
        if not notice.texts:
            raise SystemExit(f"{notice.name}: no text of its licence was found")
        lines.append(f"{notice.name} {notice.version}: {notice.licence or 'see its folder'}")
        for text in notice.texts:
            target = folder / notice.name / text.name
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():  # of the same name, from another of its folders
                target = target.with_name(f"{text.parent.name}-{text.name}")
            shutil.copyfile(text, target)
    folder.joinpath("NOTICES.txt").write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")


def _of_python() -> list[Notice]:
    """Return Python's and that of PyInstaller, whose start-up code each app carries."""
    version = sysconfig.get_python_version()
    at = [
        Path(sysconfig.get_path("stdlib"), "LICENSE.txt"),
        Path(sys.base_prefix, "LICENSE.txt"),
        Path(f"/usr/share/doc/python{version}/copyright"),
        Path(f"/usr/share/doc/libpython{version}-minimal/copyright"),
    ]
    text = next((path for path in at if path.is_file()), None)
    python = Notice("python", version, "PSF-2.0", (text,) if text else ())
    return [python, _of_distribution(distribution("pyinstaller"))]


def _of_packages(paths: set[str]) -> list[Notice]:
    """Return those of the distributions that some of the files belong to."""
    return [
        _of_distribution(found)
        for found in distributions()
        if any(
            os.path.realpath(str(found.locate_file(file))) in paths for file in found.files or ()
        )
    ]


def _of_distribution(found: Distribution) -> Notice:
    """Return its notice: the files of its licence; else the licence that its metadata has."""
    files = [Path(str(found.locate_file(file))) for file in found.files or ()]
    texts = [file for file in files if TEXTS.match(file.name) and file.suffix != ".py"]
    fields = found.metadata
    licence = fields.get("License-Expression") or fields.get("License") or ""
    kinds = [c.split(" :: ")[-1] for c in fields.get_all("Classifier", []) if "License ::" in c]
    said = licence.splitlines()[0] if licence and len(licence) < 80 else ", ".join(kinds)
    if not texts and (licence or kinds):
        texts = [file for file in files if file.name == "METADATA"]
    return Notice(found.name, found.version, said, tuple(sorted(set(texts))))


def _of_the_system(paths: set[str]) -> list[Notice]:
    """Return those of the system's packages that some of the files belong to."""
    brewed = {match[1] for path in paths if (match := re.match(r"(.*/Cellar/[^/]+/[^/]+)/", path))}
    notices = []
    for root in map(Path, sorted(brewed)):
        texts = tuple(file for file in sorted(root.iterdir()) if TEXTS.match(file.name))
        notices.append(Notice(root.parent.name, root.name, "", texts))
    libraries = sorted(path for path in paths if re.match(r"/(usr/)?lib/.*\.so", path))
    return notices + [_of_debian(name) for name in sorted(_debian_packages(libraries))]


def _debian_packages(libraries: list[str]) -> set[str]:
    """Return the packages that brought these libraries."""
    names = {Path(path).name for path in libraries}
    if not names:
        return set()
    command = ["dpkg-query", "--search", *(f"*/{name}" for name in sorted(names))]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    owners = {}
    for line in found.splitlines():
        package, _, path = line.partition(": ")
        owners[path.removeprefix("/usr")] = package.partition(":")[0]
    unknown = [path for path in libraries if path.removeprefix("/usr") not in owners]
    if unknown:
        raise SystemExit(f"{', '.join(unknown)}: of no package of the system's")
    return {owners[path.removeprefix("/usr")] for path in libraries}


def _of_debian(package: str) -> Notice:
    """Return the notice of a package: its copyright file, and the common licences it refers to."""
    show = ["dpkg-query", "--show", "--showformat=${source:Package} ${Version}", package]
    said = subprocess.run(show, capture_output=True, text=True, check=True).stdout
    copyright_file = Path("/usr/share/doc", package, "copyright")
    if not copyright_file.is_file():
        return Notice(package, said, "", ())
    text = copyright_file.read_text(encoding="utf-8", errors="replace")
    common = [
        Path("/usr/share/common-licenses", name) for name in sorted(set(COMMON.findall(text)))
    ]
    kinds = sorted(set(re.findall(r"^License: *(\S.*?) *$", text, re.MULTILINE)))
    texts = (copyright_file, *(file for file in common if file.is_file()))
    return Notice(package, f"(Debian's source {said})", ", ".join(kinds), texts)
