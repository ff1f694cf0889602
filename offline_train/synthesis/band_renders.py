"""Songs played by a band as one mastered mix, for evaluation.

Not here: the dry stems of which training makes a new mix for each crop (``stems``).
"""

import numpy as np
import soxr
from numpy.typing import NDArray

from offline_train.corpora import Note, Song
from offline_train.synthesis.bands.band import Player, arrange
from offline_train.synthesis.bands.grooves import HELD_OUT_GROOVES, TRAIN_GROOVES
from offline_train.synthesis.render import (
    RENDER_RATE,
    fluidsynth,
    master,
    mix,
    players_to_midi,
    random_synth,
)

TRAIN_SOUNDFONTS = ("FluidR3_GM.sf2", "FluidR3_GM.sf2", "OPL-3_FM_128M.sf2")
TRAIN_DRUMS = ("Black_Pearl_4_LV2.sf2", "Red_Zeppelin_4_LV2.sf2")
HELD_OUT_SOUNDFONT = "TimGM6mb.sf2"


def cut(song: Song, start: float, seconds: float) -> Song:
    """Return an excerpt of a song with its times from 0."""

    def notes(source: list[Note]) -> list[Note]:
        inside = [n for n in source if start <= n.onset < start + seconds]
        return [
            n._replace(onset=n.onset - start, offset=min(n.offset - start, seconds)) for n in inside
        ]

    end = start + seconds
    return Song(
        song.song_id,
        notes(song.melody),
        notes(song.bridge),
        notes(song.piano),
        [b._replace(time=b.time - start) for b in song.beats if start <= b.time < end],
        [
            c._replace(start=max(c.start - start, 0.0), end=min(c.end, end) - start)
            for c in song.chords
            if c.end > start and c.start < end
        ],
    )


def render_band(
    song: Song, rng: np.random.Generator, in_training: bool = True
) -> tuple[NDArray[np.float32], dict[str, object]]:
    """Return (audio (n, 2) at ``RENDER_RATE``, what was chosen) of a song played by a band."""
    players = arrange(song, TRAIN_GROOVES if in_training else HELD_OUT_GROOVES, rng)
    stems, sources = [], {}
    groups: dict[str, list[Player]] = {}
    fonts = rng.choice(TRAIN_SOUNDFONTS, 2) if in_training else [HELD_OUT_SOUNDFONT] * 2
    for player in players:
        source = str(fonts[int(player.role in ("melody", "bridge"))])
        if in_training and player.role == "drums" and rng.random() < 0.35:
            source = str(rng.choice(TRAIN_DRUMS))
        if (
            in_training
            and player.role in ("melody", "bridge", "pad", "comp")
            and rng.random() < 0.2
        ):
            source = "random_synth"
            stems.append(random_synth(player, rng))
        else:
            groups.setdefault(source, []).append(player)
        sources[player.role] = f"{source}:{player.program}"
    stems += [fluidsynth(players_to_midi(group), font) for font, group in groups.items()]
    return master(mix(stems), rng), {"players": sources}


def waveform(audio: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """Return rendered audio (n, 2) as mono (m,) at a model's sample rate."""
    mono = audio.mean(1, dtype=np.float32)
    return np.asarray(soxr.resample(mono, RENDER_RATE, sample_rate), np.float32)
