"""Measures how far an arrangement's MIDI is from the song, for any start. Times are seconds.

The song is cut, or silence is put before it, at random; each is analysed, arranged, written and
read again. The example song comes with its tune as it was written, which is the truth.
"""

import io
from pathlib import Path

import mido
import numpy as np
from numpy.typing import NDArray

from engine.core.settings import ModelSettings
from engine.signal.stereo import middle_of
from engine.whole_song.arranger import Arranged, Arranger
from engine.whole_song.notation import to_midi
from engine.whole_song.song_analysis import analyze
from engine.whole_song.song_analyzer import SAMPLE_RATE, SongAnalyzer, sound_blocks
from livecover import examples
from livecover.bench import markdown

Array = NDArray[np.float32]
Notes = NDArray[np.float64]  # (n, 2): onset, pitch

MOST_SILENCE_S = 12.0
MOST_CUT_S = 9.0
NEAR_S = 0.15  # within which a note of the song's pitch is that note
TUNE = "auld-lang-syne.mid"
TUNE_CHANNEL = 0  # of the example's MIDI file
BAR_MS = 20.0


def offsets(model: str, song: Path, n_offsets: int, seconds: float) -> str:
    """Return the distances of arranged MIDI from ``song``, shifted ``n_offsets`` times."""
    rng = np.random.default_rng(1)
    sound = middle_of(np.concatenate(list(sound_blocks(str(song)))))
    analyzer, arranger = SongAnalyzer(settings=ModelSettings(model)), Arranger()
    tune = _ons(examples.path(TUNE).read_bytes(), TUNE_CHANNEL) if _is_example(song) else None
    from_grid, from_tune = [], []
    for k in range(n_offsets):
        shift = rng.uniform(0, MOST_SILENCE_S) if k % 2 else -rng.uniform(0, MOST_CUT_S)
        arranged = arranger.arrange(analyze(analyzer.run([shifted(sound, shift, seconds)])))
        notes = _written(arranged)
        from_grid.append(np.abs(notes[:, 0] - _planned(arranged)).max())
        if tune is not None:
            from_tune.append(distance(notes, tune + [shift, 0]))
    worst = 1000 * float(np.max(from_grid))
    rows: list[list[object]] = [
        ["songs, each begun elsewhere", n_offsets],
        ["MIDI notes from their beats in the song, worst", f"{worst:.1f} ms"],
    ]
    if from_tune:
        medians = 1000 * np.array(from_tune)
        rows += [
            ["the tune from the song's own, middle note, worst", f"{np.abs(medians).max():.1f} ms"],
            ["of all songs", f"{np.median(medians):+.1f} ms"],
            [f"songs within {BAR_MS:g} ms", f"{(np.abs(medians) <= BAR_MS).sum()}"],
        ]
    return markdown(["arranged MIDI against the song", "found"], rows)


def _is_example(song: Path) -> bool:
    return song.resolve() == examples.path().resolve()


def shifted(sound: Array, shift: float, seconds: float) -> Array:
    """Return ``seconds`` of the sound after silence, or cut at its begin where negative."""
    n = round(abs(shift) * SAMPLE_RATE)
    later = sound[n:] if shift < 0 else np.concatenate([np.zeros(n, np.float32), sound])
    return later[: round(seconds * SAMPLE_RATE)]


def _planned(arranged: Arranged) -> NDArray[np.float64]:
    """Return the onsets of the arrangement's notes in the song, in order; none before it."""
    steps = np.array([note.step for note in arranged.notes])
    return np.maximum(np.sort(arranged.analysis.grid.time(steps)), 0.0)


def _written(arranged: Arranged) -> Notes:
    data = io.BytesIO()
    to_midi(arranged).save(file=data)
    return _ons(data.getvalue())


def _ons(data: bytes, channel: int | None = None) -> Notes:
    """Return the note-ons of a MIDI file, in order."""
    found, now = [], 0.0
    for message in mido.MidiFile(file=io.BytesIO(data)):
        now += message.time
        is_on = message.type == "note_on" and message.velocity > 0
        if is_on and channel in (None, message.channel):
            found.append((now, message.note))
    return np.array(found, float).reshape(-1, 2)


def distance(notes: Notes, tune: Notes) -> float:
    """Return the median distance of notes from the notes of the melody near them."""
    gaps = []
    for onset, pitch in tune.tolist():
        near = notes[(notes[:, 1] == pitch) & (np.abs(notes[:, 0] - onset) <= NEAR_S), 0] - onset
        if len(near):
            gaps.append(near[np.abs(near).argmin()])
    return float(np.median(gaps)) if gaps else float("inf")
