"""Shards: what training streams from disk, checkable and made anew one at a time.

A shard is an uncompressed tar of some pieces, for each of them ``NAME.json`` (its facts, seed
among them) and one ``NAME.KEY.npy`` an array. Nothing in it depends on when or where it was made,
so equal choices give equal bytes. ``manifest.jsonl`` beside the shards has one line for each: file,
pieces, seconds, bytes, SHA-256. Arrays are mapped, never loaded whole. WebDataset reads the same
files. Not here: what goes into a piece (``prepare``, ``recordings``).
"""

import dataclasses
import hashlib
import io
import json
import logging
import os
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import DataError
from engine.system.whole_file import written_whole
from offline_train.corpora.text_files import read_text

log = logging.getLogger(__name__)

MANIFEST = "manifest.jsonl"


@dataclass(frozen=True, slots=True)
class Piece:
    """What a shard keeps of one piece; ``facts`` is JSON and says how it was made.

    ``stems`` int16 (n, stems) and ``notes`` float32 (n, 5) are what training asks for.
    ``facts["seconds"]`` is the length of the audio.
    """

    name: str  # no dot in it
    arrays: dict[str, NDArray[Any]]
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ShardLine:
    """One line of the manifest."""

    file: str
    pieces: int
    seconds: float
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class StoredPiece:
    """A piece in a shard: its facts, and where each array begins in the file."""

    shard: Path
    name: str
    facts: dict[str, Any]
    offsets: dict[str, int] = field(default_factory=dict)

    def array(self, key: str) -> NDArray[Any]:
        """Return an array, mapped from the file. Raises DataError if the piece has none such."""
        if key not in self.offsets:
            raise DataError(f"{self.shard}: {self.name} has no {key}, only {sorted(self.offsets)}")
        return _map_npy(self.shard, self.offsets[key])

    def __contains__(self, key: str) -> bool:
        return key in self.offsets


def _map_npy(path: Path, offset: int) -> NDArray[Any]:
    with path.open("rb") as file:
        file.seek(offset)
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read = np.lib.format.read_array_header_2_0
        shape, is_fortran, dtype = read(file)
        if 0 in shape:
            return np.zeros(shape, dtype)
        order: Literal["F", "C"] = "F" if is_fortran else "C"
        array: NDArray[Any] = np.memmap(
            path, dtype=dtype, mode="r", offset=file.tell(), shape=shape, order=order
        )
        return array


def write_shard(path: Path, pieces: Iterable[Piece]) -> ShardLine:
    """Write a shard and return its line for the manifest; the file appears whole or not at all.

    Raises
    ------
    DataError
        If the file cannot be written, a full disk for example.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    count, seconds = 0, 0.0
    try:
        with tarfile.open(partial, "w", format=tarfile.USTAR_FORMAT) as tar:
            for piece in pieces:
                facts = json.dumps(piece.facts, sort_keys=True).encode()
                _add(tar, f"{piece.name}.json", facts)
                for key, array in sorted(piece.arrays.items()):
                    buffer = io.BytesIO()
                    np.save(buffer, array, allow_pickle=False)
                    _add(tar, f"{piece.name}.{key}.npy", buffer.getvalue())
                count += 1
                seconds += float(piece.facts.get("seconds", 0.0))
        line = ShardLine(
            path.name, count, round(seconds, 3), partial.stat().st_size, sha256(partial)
        )
        partial.replace(path)
    except OSError as error:
        raise DataError(
            f"{path}: could not write the shard ({error}); make room and run the same command again"
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return line


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)  # its time, owner and mode are constants
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_manifest(folder: Path) -> dict[str, ShardLine]:
    """Return the manifest's lines by file name, the last one of a file; {} where there is none."""
    path = folder / MANIFEST
    lines: dict[str, ShardLine] = {}
    if path.is_file():
        for text in read_text(path).splitlines():
            try:
                line = ShardLine(**json.loads(text))
            except (json.JSONDecodeError, TypeError):  # cut short when a run was killed
                log.warning("%s: skipped a line that is not a shard's: %.60s", path, text)
                continue
            lines[line.file] = line
    return lines


def write_manifest(folder: Path, lines: Iterable[ShardLine]) -> None:
    """Write the manifest anew, ordered by file name."""
    rows = sorted(lines, key=lambda line: line.file)
    text = "".join(json.dumps(dataclasses.asdict(row)) + "\n" for row in rows)
    with written_whole(folder / MANIFEST) as file:
        file.write(text.encode())


def append_manifest(folder: Path, line: ShardLine) -> None:
    """Add a line to the manifest."""
    with (folder / MANIFEST).open("a") as file:
        file.write(json.dumps(dataclasses.asdict(line)) + "\n")


def manifest_hash(folder: Path) -> str:
    """Return a hash of what the folder's shards hold, whatever the order they were made in."""
    lines = sorted(f"{x.file} {x.sha256}" for x in read_manifest(folder).values())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def is_whole(folder: Path, line: ShardLine, verify: bool = False) -> bool:
    """Return whether a shard is there and as long as it was; ``verify`` compares its hash too."""
    path = folder / line.file
    if not path.is_file() or path.stat().st_size != line.bytes:
        return False
    return not verify or sha256(path) == line.sha256


@cache
def _index(path: Path, _bytes: int) -> tuple[StoredPiece, ...]:
    """Return the pieces of a shard by reading its headers and facts, not its arrays."""
    pieces: dict[str, StoredPiece] = {}
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            name, _, key = member.name.partition(".")
            if key == "json":
                content = tar.extractfile(member)
                assert content is not None
                pieces[name] = StoredPiece(path, name, json.loads(content.read()))
            else:
                pieces[name].offsets[key.removesuffix(".npy")] = member.offset_data
    return tuple(pieces.values())


def read_shards(folder: Path) -> list[StoredPiece]:
    """Return the pieces of the whole shards of a folder, in the order of their names.

    A shard that is cut short is named in the log and left out.

    Raises
    ------
    DataError
        If the folder holds no whole shard.
    """
    pieces: list[StoredPiece] = []
    for line in sorted(read_manifest(folder).values(), key=lambda line: line.file):
        if is_whole(folder, line):
            pieces += _index(folder / line.file, line.bytes)
        else:
            log.warning("%s: left out, it is missing or cut short", folder / line.file)
    if not pieces:
        raise DataError(
            f"{folder}: expected shards with a {MANIFEST}; run livecover-train prepare or pairs"
        )
    return pieces
