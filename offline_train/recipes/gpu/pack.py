"""Packs the kit: one archive with code, packages, MIDI, SoundFonts and voices.

It is unpacked on a machine that has Python with torch, numpy and scipy, and needs neither network
nor programs there. Not here: what it does then (``commands.gpu``).
"""

import importlib.metadata
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from engine.core.errors import DataError
from offline_train.corpora.text_files import read_json
from offline_train.synthesis.render import find_soundfont
from offline_train.synthesis.sound_sources import SMALL_SOUNDFONTS, small_sources
from offline_train.synthesis.voices.voices import bank_path, load_bank

ROOT = Path(__file__).resolve().parents[3]
CODE = ("engine", "models", "offline_train")
SUFFIXES = (".py", ".toml", ".c", ".pt")
PACKAGES = (
    "cffi", "mido", "nnAudio", "packaging", "pedalboard", "platformdirs", "pycparser", "soundfile",
    "soxr", "tinysoundfont", "tqdm", "typing_extensions",
)  # fmt: skip
"""What training needs beside torch, numpy and scipy."""
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux2014_x86_64")
MOST_BYTES = 60_000_000
SPLITS = ("train", "valid")
MAIN = '''"""Renders music and trains on it, by what lies beside it: python3 run.py --help."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PATHS = [str(HERE / "code"), str(HERE / "site")]
sys.path[:0] = PATHS
os.environ["PYTHONPATH"] = os.pathsep.join([*PATHS, os.environ.get("PYTHONPATH", "")])
os.environ["LIVECOVER_DATA"] = str(HERE / "data")
os.environ["LIVECOVER_SOUNDFONTS"] = str(HERE / "soundfonts")
os.environ["LIVECOVER_COMMIT"] = "COMMIT"
os.environ["XDG_CACHE_HOME"] = str(HERE / "cache")

if __name__ == "__main__":
    from offline_train.cli import main

    sys.exit(main(["gpu", *sys.argv[1:]]))
'''


def pack(out: Path, data: Path, python: str, commit: str, n_songs: int = 0) -> int:
    """Write the kit into ``out``, a ``.tar.xz``; return its bytes.

    Parameters
    ----------
    data
        The data folder: POP909 and GiantMIDI-Piano.
    python
        Of the machine it is for, as 3.12, whose packages are downloaded; or ``installed``: those
        of this environment are taken, for a machine with the same Python.
    commit
        Of the code, which the checkpoints will tell.
    n_songs
        Songs of each split; 0 takes all.

    Raises
    ------
    DataError
        If something to pack is missing, or the archive is larger than ``MOST_BYTES``.
    """
    partial = out.with_name(f".{out.name}.partial")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, tarfile.open(partial, "w:xz") as tar:
        _add_text(tar, "run.py", MAIN.replace('COMMIT"\n', f'{commit}"\n'))
        for name in CODE:
            for path in sorted((ROOT / name).rglob("*")):
                if path.suffix in SUFFIXES:
                    tar.add(path, f"kit/code/{path.relative_to(ROOT)}")
        for path, inside in _packages(python, Path(folder)):
            tar.add(path, f"kit/site/{inside}")
        _add_corpora(tar, data, n_songs)
        for name in SMALL_SOUNDFONTS:
            tar.add(find_soundfont(name).resolve(), f"kit/soundfonts/{name}")
        for voice in small_sources().voices:
            load_bank(voice)
            path = bank_path(voice)
            tar.add(path, f"kit/cache/livecover/voices/{path.name}")
    size = partial.stat().st_size
    if size > MOST_BYTES:
        partial.unlink()
        raise DataError(
            f"{out}: expected {MOST_BYTES / 1e6:g} MB at most, got {size / 1e6:.1f}; take fewer"
            " songs with --songs"
        )
    partial.replace(out)
    return size


def _add_text(tar: tarfile.TarFile, name: str, text: str) -> None:
    member = tarfile.TarInfo(f"kit/{name}")
    content = text.encode()
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _packages(python: str, folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the files of all packages, each with its place. Raises DataError if one is missing."""
    if python != "installed":
        _download(python, folder)
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                yield path, str(path.relative_to(folder))
        return
    for name in PACKAGES:
        try:
            files = importlib.metadata.files(name) or []
        except importlib.metadata.PackageNotFoundError as error:
            raise DataError(f"expected the package {name} here, to pack it ({error})") from error
        for file in files:
            path = Path(str(file.locate()))
            if ".." not in file.parts and path.suffix != ".pyc" and path.is_file():
                yield path, str(file)


def _download(python: str, folder: Path) -> None:
    """Download the packages for another Python on Linux, and unpack them into ``folder``."""
    with tempfile.TemporaryDirectory() as wheels:
        options = ["--no-deps", "--only-binary=:all:", "--python-version", python, "-d", wheels]
        options += [word for name in PLATFORMS for word in ("--platform", name)]
        command = [sys.executable, "-m", "pip", "download", "-q", *options, *PACKAGES]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise DataError(
                f"expected to download {', '.join(PACKAGES)} for Python {python}, pip failed: "
                f"{done.stderr.strip()[-200:]}"
            )
        for wheel in sorted(Path(wheels).glob("*.whl")):
            with zipfile.ZipFile(wheel) as packed:
                packed.extractall(folder)


def _add_corpora(tar: tarfile.TarFile, data: Path, n_songs: int) -> None:
    """Add POP909's songs to train on and to validate with, and GiantMIDI-Piano."""
    splits = read_json(data / "splits.json")["pop909"]
    kept = {name: splits[name][: n_songs or None] for name in SPLITS}
    _add_text(tar, "data/splits.json", json.dumps({"pop909": {**kept, "test": []}}))
    for song in (song for songs in kept.values() for song in songs):
        for name in (f"{song}.mid", "beat_midi.txt", "chord_midi.txt"):
            tar.add(data / "pop909" / song / name, f"kit/data/pop909/{song}/{name}")
    for path in sorted((data / "giantmidi").rglob("*.mid*")):
        tar.add(path, f"kit/data/giantmidi/{path.relative_to(data / 'giantmidi')}")
