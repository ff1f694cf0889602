"""``livecover --arranger``: arranges an audio file, as MIDI and MusicXML.

Not here: analysis, arrangement and notation (``engine.whole_song``); printing (``cli``).
"""

from collections.abc import Callable
from pathlib import Path

from engine.audio.opening import is_file_input
from engine.core.errors import ConfigError
from engine.midi.sinks import is_midi_file
from engine.system.paths import given_path
from engine.system.whole_file import check_writable
from engine.whole_song import notation
from engine.whole_song.arranger import Arranged, Arranger, nothing
from engine.whole_song.song_analysis import analyze
from engine.whole_song.song_analyzer import SongAnalyzer, sound_blocks
from livecover.settings.sections import Settings

ANALYSIS_SHARE = 0.7  # of the progress


def check(settings: Settings) -> list[Path]:
    """Return the files to write.

    Raises
    ------
    ConfigError
        Unless a file goes in and files come out.
    DataError
        If a file could not be written later.
    """
    if not is_file_input(settings.audio.input):
        raise ConfigError(
            f"--arranger takes a whole song: give --input FILE, not {settings.audio.input!r}"
        )
    paths = [given_path(name) for name in settings.midi.midi_out]
    for path in paths:
        if not is_midi_file(path.name) and path.suffix.lower() not in notation.SCORE_SUFFIXES:
            raise ConfigError(
                "--arranger writes files: give --midi-out FILE.mid or FILE.musicxml, not"
                f" {str(path)!r}"
            )
    for path in paths:
        check_writable(path)
    return paths


def arrange_file(
    settings: Settings, on_progress: Callable[[float], None] = lambda share: None
) -> Arranged:
    """Arrange the file ``settings.audio.input`` into the files ``settings.midi.midi_out``.

    A file without music gives files without notes.

    Parameters
    ----------
    settings
        Input, outputs, the arranger's folder, the cover model that finds the melody.
    on_progress
        Called with the share done, 0 to 1.

    Raises
    ------
    LiveCoverError
        If the audio file, a model or an output is not what it should be.
    """
    paths = check(settings)
    blocks = sound_blocks(settings.audio.input, lambda share: on_progress(ANALYSIS_SHARE * share))
    arranger = Arranger(settings.arranger.model, settings.model.threads)
    outputs = SongAnalyzer(settings=settings.model).run(blocks)
    if outputs.is_music:
        arranged = arranger.arrange(
            analyze(outputs, settings.beat.beats_per_bar),
            lambda share: on_progress(ANALYSIS_SHARE + (1 - ANALYSIS_SHARE) * share),
        )
    else:
        arranged = nothing(outputs.seconds)
    for path in paths:
        notation.write(arranged, path)
    return arranged


def summary(arranged: Arranged, settings: Settings) -> list[str]:
    """Return the summary lines."""
    grid, key = arranged.analysis.grid, arranged.analysis.key
    return [
        f"{len(arranged.notes)} notes in {grid.n_bars} bars of {grid.beats_per_bar}/4,"
        f" {grid.bpm:.0f} beats a minute, {key.midi_name.removesuffix('m')}"
        f" {'minor' if key.is_minor else 'major'}",
        f"written to {', '.join(settings.midi.midi_out)}",
    ]


def no_music_text(arranged: Arranged, settings: Settings) -> str | None:
    """Return the line about a file without music; None for one with music."""
    if arranged.notes:
        return None
    return (
        f"nothing to arrange: no music was found in {settings.audio.input};"
        f" {', '.join(settings.midi.midi_out)} without notes"
    )
