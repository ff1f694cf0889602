"""Finds the pairs of song and piano cover in a user's folder or list.

Laid out ``FOLDER/SONG/song.*`` and ``cover*.*`` (any number), side by side as ``NAME.wav`` and
``NAME.mid`` or ``NAME-cover*.*``, or by a ``pairs.csv`` with the columns song and cover (paths from
where it lies). A cover is a sound file or MIDI; of both by one name, MIDI. Here too: which songs
are kept apart.
"""

import csv
import io
import logging
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.audio.files.file_source import SUFFIXES
from engine.core.errors import DataError
from engine.system.paths import given_path
from offline_train.corpora.text_files import read_text

log = logging.getLogger(__name__)

CHECK_SHARE = 1 / 8  # of the songs, kept apart to check with
MIDI_SUFFIXES = (".mid", ".midi")


@dataclass(frozen=True, slots=True)
class Pair:
    """A song and one cover of it; ``name`` has no dot, ``title`` is alike for a song's covers."""

    name: str
    title: str
    song: Path
    cover: Path


def find_pairs(folder: Path) -> list[Pair]:
    """Return the pairs of a folder or of a CSV file, by name.

    Raises
    ------
    DataError
        If there are none, or the CSV file lacks a column.
    """
    table = folder if folder.suffix.lower() == ".csv" else folder / "pairs.csv"
    found = list(_pairs_of_csv(table) if table.is_file() else _pairs_of_folder(folder))
    if not found:
        raise DataError(
            f"{folder}: expected SONG/song.* beside SONG/cover*.*, or NAME.wav beside NAME.mid or "
            f"NAME-cover.* (songs {', '.join(SUFFIXES)}, covers these or {MIDI_SUFFIXES[0]}), or "
            "pairs.csv with the columns song and cover; found no pair"
        )
    seen: Counter[str] = Counter()
    pairs = []
    for song, cover, title, name in sorted(found):
        name = "".join(c if c.isalnum() or c in "-_" else "_" for c in name)
        seen[name.lower()] += 1
        number = seen[name.lower()]
        pairs.append(Pair(name if number == 1 else f"{name}-{number}", title, song, cover))
    return pairs


def kept_apart(titles: Iterable[str]) -> set[str]:
    """Return the songs to check with: one in eight by a hash of the title, one at least, never all.

    Songs that are added move none from what is learned from to what is checked with, unless the
    hash would have kept all apart before, as it may of two or three.
    """
    places = {title: zlib.crc32(title.encode()) / 2**32 for title in titles}
    ordered = sorted(places, key=lambda title: places[title])
    chosen = [title for title in ordered if places[title] < CHECK_SHARE] or ordered[:1]
    return set(chosen[: max(len(ordered) - 1, 0)])


def _pairs_of_folder(folder: Path) -> Iterator[tuple[Path, Path, str, str]]:
    yield from _side_by_side(folder)
    for inside in sorted(p for p in folder.glob("*") if p.is_dir()):
        songs = [p for p in inside.glob("song.*") if _is_sound(p)]
        covers = _one_of_a_name(inside.glob("cover*.*"))
        if covers and len(songs) != 1:
            log.warning("%s: skipped, expected one song.*, found %d", inside, len(songs))
        elif songs:
            for cover in covers:
                yield songs[0], cover, inside.name, f"{inside.name}-{cover.stem}"


def _side_by_side(folder: Path) -> Iterator[tuple[Path, Path, str, str]]:
    """Yield ``NAME.wav`` with each ``NAME.mid`` and ``NAME-cover*.*``."""
    files = sorted(p for p in folder.glob("*") if p.is_file())
    sounds = [p for p in files if _is_sound(p)]
    covers = {p.stem for p in sounds if any(_is_cover_of(p.stem, s.stem) for s in sounds)}
    for song in (p for p in sounds if p.stem not in covers):
        named = [p for p in files if _is_midi(p) and p.stem == song.stem]
        named += [p for p in files if _is_cover_of(p.stem, song.stem)]
        for cover in _one_of_a_name(named):
            yield song, cover, song.stem, cover.stem


def _is_cover_of(name: str, song: str) -> bool:
    rest = name.removeprefix(song)
    return rest != name and rest.lstrip(" -_.").lower().startswith("cover")


def _one_of_a_name(paths: Iterable[Path]) -> list[Path]:
    """Return the covers among files, one for each name; MIDI, which is exact, before sound."""
    found: dict[str, Path] = {}
    for path in sorted(paths, key=_is_midi):
        if _is_sound(path) or _is_midi(path):
            found[path.stem] = path
    return sorted(found.values())


def _is_sound(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _is_midi(path: Path) -> bool:
    return path.suffix.lower() in MIDI_SUFFIXES


def _pairs_of_csv(table: Path) -> Iterator[tuple[Path, Path, str, str]]:
    try:
        rows = list(csv.DictReader(io.StringIO(read_text(table), newline="")))
    except csv.Error as error:
        raise DataError(f"{table}: expected a CSV file ({error})") from error
    for number, row in enumerate(rows, 2):
        song, cover = (row.get("song") or "").strip(), (row.get("cover") or "").strip()
        if not song or not cover:
            raise DataError(f"{table}, line {number}: expected the columns song and cover")
        title, name = Path(song).with_suffix("").as_posix(), f"{Path(song).stem}-{Path(cover).stem}"
        yield table.parent / given_path(song), table.parent / given_path(cover), title, name
