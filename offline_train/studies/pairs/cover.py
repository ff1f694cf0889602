"""A cover as it came: a recording, whose notes a transcriber finds, or MIDI, which has them.

MIDI is played on a modelled piano, always the same one, so that both are aligned alike. Not here:
the alignment (``align``), and the song's side (``sound``).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import DataError
from engine.midi.reader import read_midi
from offline_train.corpora.midi import midi_lines
from offline_train.corpora.notes import with_pedal
from offline_train.studies.pairs.folder import MIDI_SUFFIXES
from offline_train.studies.pairs.sound import MAX_SECONDS, MIN_SECONDS, SAMPLE_RATE, read_mono
from offline_train.synthesis.pianos.modelled import ModelledPiano

Array = NDArray[np.float32]

MELODY_TRACK = "MELODY"
"""A track of this name holds the tune; of other covers it is not known."""


class Cover(NamedTuple):
    """Mono ``samples`` (n,) at ``SAMPLE_RATE``; ``notes`` (m, 5) if they are known, by onset."""

    samples: Array
    notes: Array | None = None


def has_notes(path: Path) -> bool:
    """Return whether a cover's file says what is played, so that nothing need be transcribed."""
    return path.suffix.lower() in MIDI_SUFFIXES


def read_cover(path: Path) -> Cover:
    """Return a cover's sound, and its notes if the file has them.

    Raises
    ------
    DeviceError, DataError
        If the file is missing, broken, without notes, or shorter or longer than a song.
    """
    if not has_notes(path):
        return Cover(read_mono(path))
    rows, sounding = [], []
    for line in midi_lines(read_midi(path)):
        if not line.is_drums:
            rows += [(*note, line.track == MELODY_TRACK) for note in line.notes]
            sounding += with_pedal(line.notes, line.pedals)
    seconds = max((note.offset for note in sounding), default=0.0)
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        raise DataError(
            f"{path}: expected {MIN_SECONDS:g} s to {MAX_SECONDS / 60:g} min of notes, "
            f"got {seconds:.1f} s"
        )
    piano = ModelledPiano(np.random.default_rng(0), SAMPLE_RATE)
    samples = piano.play(sounding, seconds)
    loudest = max(float(np.abs(samples).max()), 1e-6)
    return Cover(samples * np.float32(0.7 / loudest), np.array(sorted(rows), np.float32))
