"""A piece of music as every corpus gives it, and the protocol of a corpus.

Not here: the corpora themselves (a module each) and how one is found by name (``registry``).
"""

import logging
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from engine.core.errors import DataError
from offline_train.corpora.notes import Beat, Chord, Note, Pedal, with_pedal

log = logging.getLogger(__name__)

SPLITS = ("train", "valid", "test")
UNKNOWN_LICENCE = "unknown"
# General MIDI's families, eight programs each; voices are split from the ensembles.
_FAMILIES = ("piano", "mallets", "organ", "guitar", "bass", "strings", "strings", "brass", "reed",
             "pipe", "lead", "pad", "effects", "ethnic", "percussion", "effects")  # fmt: skip
ROLES = ("melody", "bridge", *dict.fromkeys(_FAMILIES), "voice", "drums")


def role_of_program(program: int) -> str:
    """Return the role of a General MIDI program (0 to 127).

    >>> role_of_program(0), role_of_program(33), role_of_program(53)
    ('piano', 'bass', 'voice')
    """
    return "voice" if 52 <= program <= 54 else _FAMILIES[program // 8]


@dataclass(frozen=True, slots=True)
class Part:
    """What one instrument plays. ``program`` is General MIDI's, None where unknown and for drums.

    ``pedals`` are the changes of its sustain pedal; notes end where the key goes up.
    """

    role: str  # one of ROLES
    notes: list[Note]
    program: int | None = None
    pedals: list[Pedal] = field(default_factory=list)
    name: str = ""

    def sounding(self) -> list[Note]:
        """Return the notes as they sound, held by the pedal."""
        return with_pedal(self.notes, self.pedals)


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of a corpus; every list is ordered by time, all on one time axis in seconds.

    ``audio`` is its recording, on the same time axis, where the corpus has one. ``licence`` is an
    SPDX identifier or "unknown". Without ``has_velocities`` every note has the same velocity.
    """

    piece_id: str
    parts: tuple[Part, ...]
    licence: str
    beats: list[Beat] = field(default_factory=list)
    chords: list[Chord] = field(default_factory=list)
    audio: Path | None = None
    has_velocities: bool = True

    @property
    def notes(self) -> dict[str, list[Note]]:
        """The notes of each role that has any; parts with one role are merged."""
        notes: dict[str, list[Note]] = {}
        for part in self.parts:
            if part.notes:
                notes.setdefault(part.role, []).extend(part.notes)
        return {role: sorted(merged) for role, merged in notes.items()}

    @property
    def pedals(self) -> list[Pedal]:
        """The changes of the piano's sustain pedal: of the first piano part that uses it."""
        for part in self.parts:
            if part.role == "piano" and part.pedals:
                return part.pedals
        return []

    @property
    def n_notes(self) -> int:
        """How many notes all parts have together."""
        return sum(len(part.notes) for part in self.parts)

    @property
    def duration(self) -> float:
        """Seconds to the last key's release."""
        return max((n.offset for part in self.parts for n in part.notes), default=0.0)


class Corpus(Protocol):
    """A collection of pieces, each in one of three splits. A split may be empty."""

    @property
    def name(self) -> str:
        """What ``open_corpus`` calls it."""

    @property
    def licence(self) -> str:
        """SPDX identifier of the licence of its pieces, or "unknown"."""

    def ids(self, split: str) -> list[str]:
        """Return the ids of a split: train, valid or test. Raises DataError for another name."""

    def read(self, piece_id: str) -> Piece:
        """Return a piece. Raises DataError naming the file that is broken, or the unknown id."""


def may_feed_weights(licence: str) -> bool:
    """Return whether weights trained on it may be published under a permissive licence.

    >>> may_feed_weights("CC-BY-4.0"), may_feed_weights("CC-BY-NC-SA-4.0")
    (True, False)
    """
    return licence != UNKNOWN_LICENCE and "-NC" not in licence


def check_split(split: str) -> None:
    """Raise DataError if there is no such split."""
    if split not in SPLITS:
        raise DataError(f"expected a split of {', '.join(SPLITS)}, got {split!r}")


def split_of_bytes(content: bytes) -> str:
    """Return the split that a hash of the content gives: a tenth test, a tenth valid.

    So a piece stays in its split wherever it is moved, and copies never lie on both sides.
    """
    return {0: "test", 1: "valid"}.get(zlib.crc32(content) % 10, "train")


class Readable:
    """The pieces of a split that can be read; ``broken`` says which could not be, and why."""

    def __init__(self, corpus: Corpus, split: str) -> None:
        self._corpus = corpus
        self._ids = corpus.ids(split)
        self.broken: dict[str, str] = {}

    def __iter__(self) -> Iterator[Piece]:
        self.broken.clear()
        for piece_id in self._ids:
            try:
                piece = self._corpus.read(piece_id)
            except DataError as error:
                self.broken[piece_id] = str(error)
                log.warning("skipped %s of %s: %s", piece_id, self._corpus.name, error)
                continue
            yield piece
        if self.broken:
            log.warning(
                "%s: %d of %d pieces are broken",
                self._corpus.name,
                len(self.broken),
                len(self._ids),
            )


def readable(corpus: Corpus, split: str) -> Readable:
    """Return the pieces of a split, one after another; a broken one is logged, skipped, counted.

    The count is ``len(pieces.broken)`` of what is returned, after the loop.
    """
    return Readable(corpus, split)
