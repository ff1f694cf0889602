"""Writes a song as a chart for MMA: one line a bar, at a constant tempo.

A beat of the chart is a beat of the song, so that the band can follow the song's own tempo. Not
here: which grooves there are (``mma_grooves``), and playing the chart (``mma``).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from engine.core.chords import INTERVALS, PITCH_NAMES
from offline_train.corpora import Song
from offline_train.synthesis.bands.band import parse_chord
from offline_train.synthesis.bands.mma_grooves import STYLE_OF_GROOVE

STEPS_PER_BEAT = 4  # chords change on sixteenths; POP909 places nearly all on a beat
SECTION_BARS = 8  # the groove may change after so many bars

_MMA_NAMES = {
    "maj": "", "min": "m", "dim": "mb5", "aug": "aug", "sus2": "sus2", "sus4": "sus4", "7": "7",
    "maj7": "M7", "min7": "m7", "maj6": "6", "min6": "m6", "dim7": "dim7", "hdim7": "m7b5",
    "minmaj7": "mM7", "sus4(b7)": "7sus",
}  # fmt: skip
_MMA_QUALITIES = {INTERVALS[quality]: name for quality, name in _MMA_NAMES.items()}


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
    slash = "" if bass == root else f"/{PITCH_NAMES[bass]}"
    return f"{PITCH_NAMES[root]}{quality}{slash}"


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
