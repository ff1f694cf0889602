"""What bands are played with: the programs and SoundFonts of a system, or small ones that travel.

``small`` needs no program: two SoundFonts by TinySoundFont, modelled pianos, random synthesizers,
four voices that were spoken and analysed before. Not here: who plays what (``stems``).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import mido
import numpy as np
from numpy.typing import NDArray

from engine.core.errors import DataError
from engine.system.extras import install
from offline_train.synthesis.render import RELEASE_S, Audio, find_soundfont
from offline_train.synthesis.voices import vocoder
from offline_train.synthesis.voices.voice import Vocoder
from offline_train.synthesis.voices.voices import TRAIN_VOICES, Voice

Choice = Literal["installed", "people", "recorded", "small"]
Render = Callable[[mido.MidiFile, str, int], Audio]
"""(MIDI, SoundFont, sample rate) -> sound (n, 2)."""

SMALL_SOUNDFONTS = ("sf_GMbank.sf2", "FluidR3Mono_GM.sf3")
SMALL_VOICES = ("es+f5", "it+m1", "pt-br+Alicia", "de+m7")
DRUM_CHANNEL, DRUM_BANK = 9, 128


@dataclass(frozen=True, slots=True)
class SoundSources:
    """The sounds that parts are played with; a piano is a SoundFont and its program there.

    ``has_machine``: whether MMA plays a second band. ``vocoder`` None is WORLD's. ``is_produced``:
    whether the lead is treated as on records, with a choir behind it at times. ``has_recorded``:
    whether a piano alone is a recorded one.
    """

    soundfonts: tuple[str, ...]
    drums: tuple[str, ...]
    pianos: tuple[tuple[str, int], ...]
    voices: tuple[Voice, ...]
    render: Render
    has_machine: bool = True
    vocoder: Vocoder | None = None
    is_produced: bool = False
    has_recorded: bool = False


def small_sources() -> SoundSources:
    """Return the sounds that travel."""
    return SoundSources(
        SMALL_SOUNDFONTS,
        SMALL_SOUNDFONTS,
        tuple((font, program) for font in SMALL_SOUNDFONTS for program in (0, 0, 1)),
        tuple(voice for voice in TRAIN_VOICES if voice.name in SMALL_VOICES),
        tiny_soundfont,
        has_machine=False,
        vocoder=vocoder.synthesize,
    )


def tiny_soundfont(midi: mido.MidiFile, soundfont: str, sample_rate: int) -> Audio:
    """Return the sound (n, 2) of a MIDI file by TinySoundFont, a library without a program.

    Raises
    ------
    DataError
        If it or the SoundFont is missing.
    """
    synth, font = _open(find_soundfont(soundfont), sample_rate)
    synth.sounds_off()
    _generate(synth, sample_rate)  # what of the one before still fades
    parts, now = [], 0
    for at, message in _events(midi, sample_rate):
        if at > now:
            parts.append(_generate(synth, at - now))
            now = at
        _send(synth, font, message)
    parts.append(_generate(synth, round(RELEASE_S * sample_rate)))
    return np.concatenate(parts)


@lru_cache(maxsize=4)
def _open(path: Path, sample_rate: int) -> tuple[Any, int]:
    """Return a synthesizer with a SoundFont, opened once a process: it takes seconds."""
    try:
        import tinysoundfont
    except ImportError as error:
        how = install(["tinysoundfont"], ["--no-deps"])  # its package needs PyAudio, to play
        raise DataError(f"expected tinysoundfont, it is not installed; type: {how}") from error
    synth = tinysoundfont.Synth(samplerate=sample_rate, gain=-6)
    return synth, synth.sfload(str(path))


def _events(midi: mido.MidiFile, sample_rate: int) -> Iterator[tuple[int, mido.Message]]:
    """Yield each message with the sample that it falls on."""
    seconds = 0.0
    for message in midi:
        seconds += message.time
        if not message.is_meta:
            yield round(seconds * sample_rate), message


def _generate(synth: Any, n: int) -> Audio:
    made: NDArray[np.float32] = np.frombuffer(synth.generate(n), np.float32).reshape(-1, 2)
    return made.copy()


def _send(synth: Any, font: int, message: mido.Message) -> None:
    if message.type == "note_on" and message.velocity:
        synth.noteon(message.channel, message.note, message.velocity)
    elif message.type in ("note_on", "note_off"):
        synth.noteoff(message.channel, message.note)
    elif message.type == "control_change":
        synth.control_change(message.channel, message.control, message.value)
    elif message.type == "program_change":
        _choose_program(synth, font, message.channel, message.program)


def _choose_program(synth: Any, font: int, channel: int, program: int) -> None:
    """Choose a program; where the SoundFont has none such, the first of its bank."""
    is_drums = channel == DRUM_CHANNEL
    for wanted in (program, 0):
        try:
            synth.program_select(channel, font, DRUM_BANK if is_drums else 0, wanted, is_drums)
            return
        except RuntimeError:
            continue
    raise DataError(f"expected a SoundFont with General MIDI's programs, it lacks {program}")
