"""Songs through the program as files in mode accompany: on the beat as it is found, causally.

``accompaniment`` measures the accompanist on the true grid; here the beat's errors count too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from engine.core.settings import EngineSettings, PlaySettings
from offline_train.data.accompaniment.songs import GridSong, step_times
from offline_train.evaluation.hearing.step_posteriors import Sound
from offline_train.evaluation.measures.pianist import pulse
from offline_train.evaluation.songs.reference_song import ReferenceSong
from offline_train.evaluation.systems import SystemChoice, open_system

AFTER_CHANGE = 4  # steps: the first beat
SETTINGS = EngineSettings(play=PlaySettings(mode="accompany"))


@dataclass(frozen=True, slots=True)
class FileScore:
    """One song's figures."""

    enters_s: float
    distance_ms: float  # of onsets from the song's true sixteenths, median
    distance_90_ms: float
    on_half_beats: float
    chord_tones: float
    after_change: float
    notes: float  # for each of the human's, from the entry on
    pulse: float  # the human's from there on is 1


TITLES = {
    "enters_s": "seconds until it plays",
    "distance_ms": "onsets off the true sixteenths, ms, median",
    "distance_90_ms": "onsets off the true sixteenths, ms, 90th percentile",
    "on_half_beats": "on half-beats",
    "chord_tones": "chord tones",
    "after_change": "on the first beat after a change",
    "notes": "notes for each of the human's",
    "pulse": "pulse, the human's being 1",
}


def play(sound: Sound) -> NDArray[np.floating]:
    """Return the notes (n, 5), by onset, that the program plays to a song."""
    system = open_system(SystemChoice("accompany", "model", "whole file", SETTINGS))
    notes = system.cover(ReferenceSong(sound.name, sound.samples)).notes
    return notes[np.argsort(notes[:, 0], kind="stable")]


def score_file(song: GridSong, sound: Sound, notes: NDArray[np.floating]) -> FileScore | None:
    """Return the figures of notes (n, 5) that were played to a song; None of none."""
    if not len(notes):
        return None
    times = step_times(sound.beats)
    first = int(np.argmin(np.abs(song.times - sound.start - times[0])))
    nearest = np.abs(notes[:, :1] - times).argmin(1)
    distances = 1000 * np.abs(notes[:, 0] - times[nearest])
    steps = np.minimum(first + nearest, song.n_steps - 1)
    tones = song.tones[steps].astype(int)
    is_tone = (tones >> (notes[:, 2].astype(int) % 12) & 1).astype(bool)
    is_new = np.zeros(song.n_steps, bool)
    for change in np.flatnonzero(np.diff(song.tones.astype(int))) + 1:
        is_new[change : change + AFTER_CHANGE] = True
    human = song.piano[(song.piano[:, 0] >= steps[0]) & (song.piano[:, 0] < first + len(times))]
    human = human[np.argsort(human[:, 0], kind="stable")]
    times_of = song.times[human[:, 0]]
    by_human = np.stack([times_of, times_of, human[:, 2], human[:, 3]], 1).astype(np.float32)
    return FileScore(
        float(notes[0, 0]),
        float(np.median(distances)),
        float(np.quantile(distances, 0.9)),
        float((steps % 2 == 0).mean()),
        float(is_tone[tones > 0].mean()),
        float(is_tone[(tones > 0) & is_new[steps]].mean()),
        len(notes) / max(len(human), 1),
        pulse(notes) / pulse(by_human) if len(human) else float("nan"),
    )


def score_files(songs: Sequence[GridSong], sounds: Iterable[Sound]) -> list[FileScore]:
    """Return the figures of those songs to which something is played."""
    by_id = {song.song_id: song for song in songs}
    scores = [
        score_file(by_id[sound.song_id], sound, play(sound))
        for sound in sounds
        if sound.song_id in by_id
    ]
    return [score for score in scores if score is not None]


def table(scores: Sequence[FileScore]) -> str:
    """Return the means over songs as lines."""
    lines = [f"{'songs':53}{len(scores)}"]
    for field in fields(FileScore):
        mean = float(np.nanmean([getattr(score, field.name) for score in scores]))
        lines.append(f"{TITLES[field.name]:53}{mean:.3g}")
    return "\n".join(lines)
