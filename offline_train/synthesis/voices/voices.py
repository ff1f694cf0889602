"""The singers' speech: which voices there are, and the syllables of a voice as WORLD frames.

A voice speaks one-syllable words with espeak-ng (GPL-3, a program; Debian ``espeak-ng``) or flite
(BSD-like; Debian ``flite``), or is a person's, recorded (``people``). WORLD analyses the speech
once (``syllables``), and the frames wait in the user's cache folder. Not here: singing (``voice``).
"""

import hashlib
import io
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.core.errors import DataError
from engine.system.paths import cache_folder
from offline_train.synthesis.voices.recorded import RECORDED, read_speech
from offline_train.synthesis.voices.syllables import (
    SAMPLE_RATE,
    SyllableBank,
    analyse,
    analyse_phrase,
    joined,
)

logger = logging.getLogger(__name__)

MOST_SYLLABLES = 90  # of a person
_VERSION = "2"  # of what is cached: another number and every bank is made again

_ENGLISH = (
    "love night day you me go sky heart home time light dream sing wait rain burn feel need stay "
    "know gone world back run down high cry hold free hear star moon way say no la na oh hey soul"
)
_SPANISH = "luz sol mar flor voz tu mi no ya más bien voy da fe ser paz sin con tres pie la sé"
_ITALIAN = "sei qui tu me so fa più la blu re sì no mai va su mio poi ma da te tre ti vi giù ciò"
_PORTUGUESE = "luz mar céu sol flor paz mim voz lá bem sim não cor pé já vem só tu fé nós dor"
_GERMAN = "nacht licht herz du mich nur schön welt zeit geh still wind traum tag wie so mein ja"
_FRENCH = "nuit jour toi moi coeur vie mer ciel bleu doux feu tu las mon rien pas seul loin temps"
_JAPANESE = "な の か み よ そ ら て ゆ め は る き こ と さ し ま わ ね"


@dataclass(frozen=True, slots=True)
class Voice:
    """Who sings: a speech voice, its words, and how this singer tends to sing.

    Pairs are the ends of the range that a singer's own value is drawn from: formant (a factor on
    the formants' frequency), vibrato_hz, vibrato_cents (to one side; under 50,
    so that a note stays the nearest one), breath (0 to 1).
    """

    program: str  # espeak-ng or flite, or a package of recordings
    name: str
    words: str  # to speak, or the pattern of the recordings
    is_high: bool
    formant: tuple[float, float] = (0.94, 1.08)
    vibrato_hz: tuple[float, float] = (4.8, 6.2)
    vibrato_cents: tuple[float, float] = (12.0, 38.0)
    breath: tuple[float, float] = (0.0, 0.35)


TRAIN_VOICES = (
    Voice("espeak-ng", "en-us+f2", _ENGLISH, True, (0.95, 1.12)),
    Voice("espeak-ng", "en-us+m3", _ENGLISH, False, (0.92, 1.1)),
    Voice("espeak-ng", "en-gb+f4", _ENGLISH, True, vibrato_cents=(5.0, 20.0)),
    Voice("espeak-ng", "es+f5", _SPANISH, True, (0.98, 1.16), vibrato_cents=(20.0, 48.0)),
    Voice("espeak-ng", "it+m1", _ITALIAN, False, (0.95, 1.15), (5.2, 6.5), (25.0, 48.0)),
    Voice("espeak-ng", "pt-br+Alicia", _PORTUGUESE, True, breath=(0.2, 0.6)),
    Voice("espeak-ng", "de+m7", _GERMAN, False, (0.9, 1.05)),
    Voice("espeak-ng", "en-us+klatt2", _ENGLISH, False, (0.95, 1.15)),
    Voice("flite", "awb", _ENGLISH, False, (0.95, 1.2), breath=(0.1, 0.5)),
    Voice("flite", "kal16", _ENGLISH, False, (0.98, 1.22)),
)
"""Voices for training and validation."""

HELD_OUT_VOICES = (
    Voice("flite", "slt", _ENGLISH, True, (0.96, 1.1), (4.5, 5.6), (20.0, 48.0)),
    Voice("flite", "rms", _ENGLISH, False, (1.0, 1.18), (4.5, 5.2), (10.0, 40.0)),
    Voice("espeak-ng", "fr+Annie", _FRENCH, True, (1.02, 1.14), (5.5, 6.5), (25.0, 45.0)),
    Voice("espeak-ng", "ja+Andy", _JAPANESE, False, (0.97, 1.12), (4.6, 5.8), (15.0, 45.0)),
)
"""Voices for evaluation only: other speakers, other languages, other habits."""


def missing_programs(voices: Iterable[Voice]) -> list[str]:
    """Return the programs that these voices need and this machine lacks."""
    programs = {v.program for v in voices if v.program not in RECORDED}
    return sorted(p for p in programs if shutil.which(p) is None)


def bank_folder() -> Path:
    """Return the folder where analysed voices are kept between runs."""
    return cache_folder() / "voices"


def bank_path(voice: Voice, folder: Path | None = None) -> Path:
    """Return the file that keeps a voice's syllables in ``folder``, or where they are kept."""
    key = hashlib.sha256(
        f"{_VERSION}|{voice.program}|{voice.name}|{voice.words}".encode()
    ).hexdigest()[:16]
    return (folder or bank_folder()) / f"{voice.program}-{voice.name}-{key}.npz"


@lru_cache(maxsize=32)
def load_bank(voice: Voice, folder: Path | None = None) -> SyllableBank:
    """Return the voice's syllables: from memory, from ``folder``, or spoken and analysed now.

    Parameters
    ----------
    voice
        Who speaks.
    folder
        Where banks are kept; ``bank_folder()`` by default.

    Raises
    ------
    DataError
        If the voice's program is missing, fails, or says nothing with a vowel.
    """
    path = bank_path(voice, folder)
    if path.is_file():
        try:
            with np.load(path) as stored:
                return SyllableBank(
                    stored["log_power"].astype(np.float32),
                    stored["aperiodicity"].astype(np.float32),
                    stored["is_voiced"],
                    stored["marks"],
                )
        except (OSError, ValueError, KeyError, EOFError) as error:
            logger.warning("%s: cannot read this voice (%s); making it again", path, error)
    _store(make_bank(voice), path)
    load = load_bank.__wrapped__  # what lies on disk is rounded: the first run must equal the next
    bank: SyllableBank = load(voice, folder)
    return bank


def _store(bank: SyllableBank, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        np.savez(
            file,
            log_power=bank.log_power.astype(np.float16),
            aperiodicity=bank.aperiodicity.astype(np.float16),
            is_voiced=bank.is_voiced,
            marks=bank.marks,
        )
    os.replace(file.name, path)  # whole or not at all, also where several processes make it


def make_bank(voice: Voice) -> SyllableBank:
    """Return the voice's syllables, spoken and analysed; raises DataError as ``load_bank``."""
    if voice.program in RECORDED:
        kept = _recorded_syllables(voice)
        where = voice.words
    else:
        words = voice.words.split()
        spoken = (analyse(speak(voice, word)) for word in words)
        kept = [s for s in spoken if s is not None]
        where = f"{len(words)} words; check what the program says"
    if not kept:
        raise DataError(
            f"{voice.program} {voice.name}: expected speech with vowels, found none in {where}"
        )
    return joined(kept)


def _recorded_syllables(voice: Voice) -> list[SyllableBank]:
    """Return what a person said, ``MOST_SYLLABLES`` at most, from all over the recordings."""
    kept: list[SyllableBank] = []
    for sound in read_speech(voice.program, voice.words):
        kept += analyse_phrase(sound)
    return kept[:: -(-len(kept) // MOST_SYLLABLES) or 1]


def speak(voice: Voice, word: str) -> NDArray[np.float64]:
    """Return a spoken word, shape (n,), at ``SAMPLE_RATE``; raises DataError as ``load_bank``."""
    import soxr

    if voice.program == "flite":
        command = ["flite", "-voice", voice.name, "--setf", "duration_stretch=1.4", "-t", word]
    else:
        command = ["espeak-ng", "-v", voice.name, "-s", "110", "-a", "100", "-z", word]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "word.wav"
        command += ["-o" if voice.program == "flite" else "-w", str(path)]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=60)
            data, rate = soundfile.read(io.BytesIO(path.read_bytes()), dtype="float64")
        except FileNotFoundError as error:
            raise DataError(
                f"{voice.program}: expected this program for sung leads; install the package "
                f"{voice.program}"
            ) from error
        except (OSError, subprocess.SubprocessError, soundfile.SoundFileError) as error:
            raise DataError(
                f"{voice.program} -v {voice.name}: could not speak ({error})"
            ) from error
    sound: NDArray[np.float64] = soxr.resample(data, rate, SAMPLE_RATE)
    return sound
