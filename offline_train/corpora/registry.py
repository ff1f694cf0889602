"""Finds a corpus by its name, and counts what is in one.

Not here: how a corpus is read (a module each).
"""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from engine.core.errors import ConfigError, DataError
from offline_train.corpora.folder import Freedoom, GiantMidi, MidiFolder
from offline_train.corpora.guitarset import GuitarSet
from offline_train.corpora.maestro import Maestro
from offline_train.corpora.maps import Maps
from offline_train.corpora.piece import SPLITS, Corpus, may_feed_weights, readable
from offline_train.corpora.pop909 import Pop909
from offline_train.corpora.slakh import Slakh

CORPORA: dict[str, Callable[[Path], Corpus]] = {
    "pop909": Pop909,
    "giantmidi": GiantMidi,
    "freedoom": Freedoom,
    "midi": MidiFolder,
    "maestro": Maestro,
    "guitarset": GuitarSet,
    "slakh": Slakh,
    "maps": Maps,
}


def open_corpus(name: str, folder: Path) -> Corpus:
    """Return a corpus by its name; ``midi`` is any folder of MIDI files.

    POP909, GiantMIDI and Freedoom may be given by their own folder or by the data folder above it.

    Raises
    ------
    ConfigError
        If there is no corpus of that name, or the package that reads it is not installed.
    DataError
        If the folder does not hold that corpus.
    """
    if name not in CORPORA:
        close = get_close_matches(name, CORPORA, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ConfigError(f"expected a corpus of {', '.join(CORPORA)}, got {name!r}{hint}")
    if not folder.is_dir():
        raise DataError(f"{folder}: expected a folder that holds the corpus {name}, found none")
    if name == "pop909" and folder.name == name and not (folder / name).is_dir():
        folder = folder.parent  # its splits.json lies beside it
    elif name in ("giantmidi", "freedoom") and (folder / name).is_dir():
        folder = folder / name
    return CORPORA[name](folder)


@dataclass(frozen=True, slots=True)
class SplitSummary:
    """What is in one split; ``broken`` says by id what is wrong with a piece."""

    split: str
    n_pieces: int
    n_with_audio: int
    hours: float
    n_notes: int
    n_with_pedal: int
    broken: dict[str, str]


@dataclass(frozen=True, slots=True)
class CorpusSummary:
    """What is in a corpus, split by split."""

    name: str
    licence: str
    splits: tuple[SplitSummary, ...]


def summarise(corpus: Corpus) -> CorpusSummary:
    """Return what is in a corpus. Reads every piece; a broken one is counted and named."""
    return CorpusSummary(
        corpus.name, corpus.licence, tuple(_summarise_split(corpus, split) for split in SPLITS)
    )


def _summarise_split(corpus: Corpus, split: str) -> SplitSummary:
    n_pieces = n_with_audio = n_notes = n_with_pedal = 0
    seconds = 0.0
    pieces = readable(corpus, split)
    for piece in pieces:
        n_pieces += 1
        n_with_audio += piece.audio is not None
        n_with_pedal += any(part.pedals for part in piece.parts)
        n_notes += piece.n_notes
        seconds += piece.duration
    return SplitSummary(
        split, n_pieces, n_with_audio, seconds / 3600, n_notes, n_with_pedal, dict(pieces.broken)
    )


def report(summary: CorpusSummary) -> str:
    """Return a summary as text: a table, the licence's bound, and a line a broken piece."""
    free = may_feed_weights(summary.licence)
    bound = "weights trained on it may be published" if free else "not for published weights"
    lines = [
        f"{summary.name}, licence {summary.licence}: {bound}",
        f"{'split':<6}{'pieces':>8}{'hours':>8}{'notes':>10}{'pedal':>7}{'audio':>7}{'broken':>8}",
    ]
    for row in summary.splits:
        lines.append(
            f"{row.split:<6}{row.n_pieces:>8}{row.hours:>8.2f}{row.n_notes:>10}"
            f"{row.n_with_pedal:>7}{row.n_with_audio:>7}{len(row.broken):>8}"
        )
    for row in summary.splits:
        lines += [f"broken: {reason}" for reason in row.broken.values()]
    return "\n".join(lines)
