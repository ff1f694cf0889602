"""Writes a song as a chart for MMA: one line a bar, at a constant tempo.

A beat of the chart is a beat of the song, so that the band can follow the song's own tempo. Not
here: which grooves there are (``mma_grooves``), and playing the chart (``mma``).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from offline_train.corpora import Song
from offline_train.synthesis.bands.band import parse_chord
from offline_train.synthesis.bands.mma_grooves import STYLE_OF_GROOVE

STEPS_PER_BEAT = 4  # chords change on sixteenths; POP909 places nearly all on a beat
SECTION_BARS = 8  # the groove may change after so many bars

_NOTE_NAMES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
_MMA_QUALITIES = {
    (0, 4, 7): "", (0, 3, 7): "m", (0, 3, 6): "mb5", (0, 4, 8): "aug", (0, 2, 7): "sus2",
    (0, 5, 7): "sus4", (0, 4, 7, 10): "7", (0, 4, 7, 11): "M7", (0, 3, 7, 10): "m7",
    (0, 4, 7, 9): "6", (0, 3, 7, 9): "m6", (0, 3, 6, 9): "dim7", (0, 3, 6, 10): "m7b5",
    (0, 3, 7, 11): "mM7", (0, 5, 7, 10): "7sus",
}  # fmt: skip


class _Piece(NamedTuple):
    """A line of the chart: beats ``first`` to ``last`` (exclusive) of the song."""

    first: int
    last: int
    is_pickup: bool


class _Span(NamedTuple):
    """A chord by MMA's name, from ``start`` to ``end`` in beats of the song."""

    start: float
    end: float
    name: str


def write_chart(song: Song, grooves: Sequence[str], seed: int) -> str:
    """Return MMA's input for a song; the grooves take turns every 8 bars.

    A bar longer or shorter than the groove's, or a pickup, becomes one or more cut bars.
    """
    beats = beat_times(song)
    tempo = 60 / float(np.median(np.diff(beats)))
    lines = [f"RndSeed {seed}", f"Tempo {np.clip(tempo, 30, 300):.2f}"]
    size = STYLE_OF_GROOVE[grooves[0]].beats
    spans = _chord_spans(song, beats)
    for k, piece in enumerate(_pieces(song, len(beats) - 1, size)):
        if k % SECTION_BARS == 0 and (k == 0 or len(grooves) > 1):
            lines.append(f"Groove {grooves[k // SECTION_BARS % len(grooves)]}")
        if piece.last - piece.first < size:
            side = " Side=Right" if piece.is_pickup else ""
            lines.append(f"Truncate {piece.last - piece.first}{side}")
        lines.append(f"{k + 1} {_chord_line(spans, piece)}")
    return "\n".join(lines) + "\n"


def chord_name(symbol: str) -> str:
    """Return MMA's name of a Harte symbol, such as ``Dm7/F``; ``z`` (a rest) for no chord."""
    parsed = parse_chord(symbol)
    if parsed is None:
        return "z"
    root, intervals, bass = parsed
    quality = _MMA_QUALITIES.get(intervals, "m" if 3 in intervals else "")
    slash = "" if bass == root else f"/{_NOTE_NAMES[bass]}"
    return f"{_NOTE_NAMES[root]}{quality}{slash}"


def beat_times(song: Song) -> list[float]:
    """Return the strictly rising times of the song's beats and of the end of the last."""
    times: list[float] = []
    for beat in song.beats:
        if not times or beat.time > times[-1] + 0.01:
            times.append(beat.time)
    return [*times, 2 * times[-1] - times[-2]] if len(times) > 1 else times


def _downbeats(song: Song, times: list[float]) -> list[int]:
    """Return which of the beats begin a bar; every fourth if the song does not say."""
    marked = {beat.time for beat in song.beats if beat.is_downbeat}
    return [k for k, time in enumerate(times[:-1]) if time in marked] or [
        *range(0, len(times) - 1, 4)
    ]


def bar_length(song: Song) -> int:
    """Return the most frequent number of beats between downbeats; 4 if there is no whole bar."""
    lengths = Counter(b - a for a, b in pairwise(_downbeats(song, beat_times(song))))
    return lengths.most_common(1)[0][0] if lengths else 4


def _pieces(song: Song, n_beats: int, size: int) -> Iterator[_Piece]:
    """Yield the song's beats in lines of at most ``size``, each bar starting a line."""
    downbeats = _downbeats(song, beat_times(song))
    pickup = downbeats[0]
    if pickup % size:
        yield _Piece(0, pickup % size, True)
    bounds = [*range(pickup % size, pickup, size), *downbeats, n_beats]
    for first, last in pairwise(bounds):
        for start in range(first, last, size):
            yield _Piece(start, min(start + size, last), False)


def _chord_spans(song: Song, beats: list[float]) -> list[_Span]:
    """Return the chords with start and end in beats, on the nearest sixteenths."""
    times = [time for chord in song.chords for time in (chord.start, chord.end)]
    steps = np.round(np.interp(times, beats, np.arange(len(beats))) * STEPS_PER_BEAT)
    starts, ends = (steps / STEPS_PER_BEAT).reshape(-1, 2).T.tolist()
    names = [chord_name(chord.symbol) for chord in song.chords]
    spans = [_Span(*span) for span in zip(starts, ends, names, strict=True)]
    return [span for span in spans if span.end > span.start]


def _chord_line(spans: list[_Span], piece: _Piece) -> str:
    """Return the chords of a line of the chart, each with the beat on which it starts."""
    changes = {float(piece.first): "z"}
    for start, end, name in spans:
        if end > piece.first and start < piece.last:
            changes[max(start, piece.first)] = name
            changes.setdefault(end, "z")  # until the next chord, which may start here
    line, before = [], ""
    for at, name in sorted(changes.items()):
        if at < piece.last and name != before:
            line.append(f"{name}@{at - piece.first + 1:g}")
            before = name
    return " ".join(line)
