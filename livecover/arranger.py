"""``livecover --arranger``: a sound file to a bar-wise arrangement, as MIDI and MusicXML.

Not here: how it is heard, written and notated (``engine.arranging``); what is printed (``cli``).
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from engine.arranging import notation
from engine.arranging.arranger import Arranged, Arranger
from engine.arranging.hearing import SAMPLE_RATE, Ears, listen
from engine.audio import FileSource, is_file_input, open_source
from engine.errors import ConfigError
from engine.midi import is_midi_file
from engine.resample import Resampler
from livecover.settings import Settings

BLOCK_S = 1.0
HEARD_SHARE = 0.7  # of the progress, when the song has been heard


def check(settings: Settings) -> list[Path]:
    """Return the files to write. Raises ConfigError unless a file goes in and files come out."""
    if not is_file_input(settings.audio.input):
        raise ConfigError(
            f"--arranger takes a whole song: give --input FILE, not {settings.audio.input!r}"
        )
    for name in settings.midi.midi_out:
        if not is_midi_file(name) and Path(name).suffix.lower() not in notation.SCORE_SUFFIXES:
            raise ConfigError(
                f"--arranger writes files: give --midi-out FILE.mid or FILE.musicxml, not {name!r}"
            )
    return [Path(name) for name in settings.midi.midi_out]


def arrange_file(
    settings: Settings, on_progress: Callable[[float], None] | None = None
) -> Arranged:
    """Arrange the file ``settings.audio.input`` into the files ``settings.midi.midi_out``.

    Parameters
    ----------
    settings
        Input, outputs, the arranger's folder, the cover model that hears the melody.
    on_progress
        Called with the share done, 0 to 1.

    Raises
    ------
    LiveCoverError
        If the audio file, a model, a library or an output is not what it should be.
    """
    paths = check(settings)
    source = open_source(settings.audio.input, settings.audio, paced=False)
    assert isinstance(source, FileSource), "a file goes in"
    arranger = Arranger(settings.arranger.model, settings.model.threads)
    ears = Ears(cover=settings.model.model)
    resampler = Resampler(source.sample_rate, SAMPLE_RATE, source.n_channels)
    blocks = source.blocks(round(BLOCK_S * source.sample_rate))
    parts = [resampler.push(block) for block in blocks]
    hearing = listen(np.concatenate([*parts, resampler.flush()]), ears)
    if on_progress is not None:
        on_progress(HEARD_SHARE)

    def tell(share: float) -> None:
        if on_progress is not None:
            on_progress(HEARD_SHARE + (1 - HEARD_SHARE) * share)

    arranged = arranger.arrange(hearing, tell)
    for path in paths:
        notation.write(arranged, path)
    return arranged


def summary(arranged: Arranged, settings: Settings) -> list[str]:
    """Return what was written, as lines."""
    hearing = arranged.hearing
    period = float(np.median(np.diff(hearing.grid.beats)))
    key = hearing.key
    return [
        f"{len(arranged.notes)} notes in {hearing.grid.n_bars} bars of 4/4, {60 / period:.0f} beats"
        f" a minute, {key.midi_name.removesuffix('m')} {'minor' if key.is_minor else 'major'}",
        f"written to {', '.join(settings.midi.midi_out)}",
    ]
