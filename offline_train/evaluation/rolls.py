"""Draws songs side by side: a row for each song, a column for each who plays it.

Not here: the notes' colours (``pictures``), who plays (``systems``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from engine.core.settings import EngineSettings, ModelSettings, PlaySettings
from offline_train.evaluation.pictures import COLOURS, draw_notes
from offline_train.evaluation.songs.reference_song import SAMPLE_RATE, ReferenceSong
from offline_train.evaluation.songs.rungs import EvaluateConfig, read_reference_song, song_names
from offline_train.evaluation.systems import ModelSystem

Array = NDArray[np.float32]

PLAYED = {
    "a free cover": PlaySettings(rhythm="free"),
    "a cover on the beat": PlaySettings(),
    "an accompaniment": PlaySettings(mode="accompany"),
}
HUMAN = "a human"
WIDTH, ROW_HEIGHT, DPI = 16.0, 2.1, 80
LOWEST, HIGHEST = 30, 96  # pitches in sight


@dataclass(frozen=True, slots=True)
class PlayedSong:
    """A song, and by name of who plays it the notes (n, 5)."""

    song: ReferenceSong
    notes: Mapping[str, Array]


def play_songs(model: str, config: EvaluateConfig, seconds: float) -> list[PlayedSong]:
    """Return the songs of a rung as the human and the program play them, live as by default.

    They are played up to the end of what is drawn.
    """
    systems = {
        name: ModelSystem(EngineSettings(model=ModelSettings(model), play=play))
        for name, play in PLAYED.items()
    }
    played = []
    for name in song_names(config):
        song = read_reference_song(config, name)
        notes = {} if song.notes is None else {HUMAN: np.asarray(song.notes, np.float32)}
        end = first_second(song, seconds) + seconds
        begin = replace(song, sound=song.sound[: round(end * SAMPLE_RATE)])
        notes |= {player: system.cover(begin).notes for player, system in systems.items()}
        played.append(PlayedSong(song, notes))
    return played


def first_second(song: ReferenceSong, seconds: float) -> float:
    """Return from where on so many seconds are the middle of a song."""
    return max(song.seconds - seconds, 0.0) / 2


def draw_songs(path: Path, played: Sequence[PlayedSong], seconds: float) -> None:
    """Write a PNG of some seconds of each song, from its middle on; lines are its beats."""
    players = list(dict.fromkeys(name for one in played for name in one.notes))
    figure = Figure((WIDTH, ROW_HEIGHT * len(played) + 0.5), dpi=DPI, layout="constrained")
    grid = figure.subplots(len(played), len(players), squeeze=False, sharey=True)
    for row, one in zip(grid, played, strict=True):
        start = first_second(one.song, seconds)
        for axis, player in zip(row, players, strict=True):
            notes = one.notes.get(player, np.zeros((0, 5), np.float32))
            draw_notes(axis, notes[(notes[:, 1] > start) & (notes[:, 0] < start + seconds)])
            for beat in () if one.song.beats is None else one.song.beats:
                axis.axvline(float(beat), color="0.85", lw=0.6, zorder=0)
            axis.set_xlim(start, start + seconds)
            axis.set_xticks([])
        row[0].set_ylabel(one.song.name)
    for axis, player in zip(grid[0], players, strict=True):
        axis.set_title(player, loc="left", fontsize=11)
        axis.set_ylim(LOWEST, HIGHEST)
        axis.set_yticks(range(36, HIGHEST, 12), [f"C{k}" for k in range(2, 7)])
    legend = [Patch(color=colour, label=part) for part, colour in COLOURS.items()]
    grid[0][-1].legend(handles=legend, loc="upper right", fontsize=8)
    figure.savefig(path, pil_kwargs={"optimize": True})
