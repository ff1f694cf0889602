"""Rung e's sound: a second band and synthesizer that no training and no other rung has.

MMA's styles that are kept from training, and the tune's instruments, all played by TiMidity++ with
the Freepats samples. Audio is float32 (n, 2) at ``RENDER_RATE``.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

import mido
import numpy as np
import soundfile

from engine.core.errors import DataError
from offline_train.corpora import Song
from offline_train.synthesis.bands.band import lead_players
from offline_train.synthesis.bands.mma import mma_players
from offline_train.synthesis.bands.mma_grooves import HELD_OUT_GROOVES_MMA
from offline_train.synthesis.render import (
    DRUM_CHANNEL,
    RENDER_RATE,
    Audio,
    master,
    mix,
    players_to_midi,
)

FREEPATS = Path("/etc/timidity/freepats.cfg")
FAMILY = 8  # programs of General MIDI that are one kind of instrument


def render_other(song: Song, rng: np.random.Generator) -> Audio:
    """Return the song (n, 2) played by the second band and mastered. DataError as ``timidity``."""
    players = [*lead_players(song, rng), *mma_players(song, rng, HELD_OUT_GROOVES_MMA)]
    for player in players:
        player.pan = 0.0 if player.role == "bass" else float(rng.uniform(-0.7, 0.7))
    return master(mix([timidity(players_to_midi(players))]), rng)


def timidity(midi: mido.MidiFile, settings: Path = FREEPATS) -> Audio:
    """Return the sound (n, 2) of a MIDI file by TiMidity++ with the samples of ``settings``.

    Raises
    ------
    DataError
        If the program or its samples are missing, or it fails.
    """
    program = shutil.which("timidity")
    if program is None or not settings.is_file():
        raise DataError(
            f"expected the program timidity, and {settings}; on Debian install the packages"
            " timidity and freepats"
        )
    there = _programs(settings.read_text())
    for message in (m for track in midi.tracks for m in track if m.type == "program_change"):
        if message.channel != DRUM_CHANNEL:
            message.program = nearest_program(message.program, there)
    with tempfile.TemporaryDirectory() as folder:
        song, sound = Path(folder) / "song.mid", Path(folder) / "song.wav"
        midi.save(song)
        command = [program, "-c", str(settings), "-s", str(RENDER_RATE), "-Ow2sl", "-EFreverb=d"]
        command += ["-EFchorus=d", "--preserve-silence", "-o", str(sound), str(song)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if not sound.is_file():
            raise DataError(f"timidity made no sound: {done.stderr.strip()[-300:]}")
        audio, _ = soundfile.read(sound, dtype="float32", always_2d=True)
    return np.asarray(audio, np.float32)


def nearest_program(program: int, there: set[int]) -> int:
    """Return the program itself, else the nearest of its family, else the nearest, of ``there``.

    >>> nearest_program(49, {48, 50, 73}), nearest_program(89, {48, 95}), nearest_program(3, {3})
    (48, 95, 3)
    """
    return min(there, key=lambda p: (p // FAMILY != program // FAMILY, abs(p - program), p))


def _programs(settings: str) -> set[int]:
    """Return the melodic programs that a file of TiMidity's settings names."""
    bank = settings.partition("bank 0")[2].partition("drumset")[0]
    words = [line.split() for line in bank.splitlines()]
    return {int(line[0]) for line in words if line and line[0].isdigit()}
