"""Speech of people in Debian packages, under free licences: which packages, and their sounds.

Each licence was read in the package's ``/usr/share/doc/PACKAGE/copyright`` (Debian 12). Nothing is
installed: a package is fetched once into the user's cache folder. Not here: who speaks
(``people``).
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.core.errors import DataError
from engine.system.extras import install
from engine.system.paths import cache_folder
from offline_train.corpora.debian import fetch_package
from offline_train.synthesis.voices.syllables import SAMPLE_RATE

logger = logging.getLogger(__name__)

LOWEST_RATE = 16_000  # hertz; what has less is dull
SPEECH_S = 90.0  # of a person, read from all over the recordings
LONGEST_S = 6.0  # of a file


@dataclass(frozen=True, slots=True)
class RecordedSpeech:
    """A package of speech: what of it is kept, its licence, whom to thank."""

    pattern: str
    licence: str
    credit: str


def _asterisk(licence: str, credit: str) -> RecordedSpeech:
    return RecordedSpeech("usr/share/asterisk/sounds/*/**/*.g722", licence, credit)


RECORDED = {
    "asterisk-core-sounds-en-g722": _asterisk("CC-BY-SA-3.0", "Allison Smith; Digium, Inc."),
    "asterisk-core-sounds-es-g722": _asterisk("CC-BY-SA-3.0", "Allison Smith; Digium, Inc."),
    "asterisk-core-sounds-fr-g722": _asterisk(
        "CC-BY-SA-3.0", "June Wallack; Digium, Unlimitel, BGM Informatique"
    ),
    "asterisk-core-sounds-it-g722": _asterisk("CC-BY-3.0", "Carlo Flora; Silvia Petrin"),
    "asterisk-core-sounds-ru-g722": _asterisk("CC-BY-3.0", "Maxim Topal, ivrvoice.ru"),
    "klettres-data": RecordedSpeech(
        "usr/share/klettres/*/*/*.ogg", "GPL-2+", "KLettres, KDE: Anne-Marie Mahfouf and speakers"
    ),
    "ktuberling-data": RecordedSpeech(
        "usr/share/ktuberling/sounds/*/*.*",
        "GPL-2+",
        "KTuberling, KDE: Éric Bischoff, Albert Astals Cid and speakers",
    ),
    "fillets-ng-data-cs": RecordedSpeech(
        "usr/share/games/fillets-ng/sound/*/cs/*.ogg", "GPL-2", "Fish Fillets: ALTAR interactive"
    ),
    "fillets-ng-data-nl": RecordedSpeech(
        "usr/share/games/fillets-ng/sound/*/nl/*.ogg", "GPL-2", "Fish Fillets: Ronny Standtke"
    ),
}
"""Package -> what it holds."""


def packages_folder() -> Path:
    """Return the folder where packages of speech are kept."""
    return cache_folder() / "voices" / "packages"


def read_speech(package: str, pattern: str) -> Iterator[NDArray[np.float64]]:
    """Yield recordings of a package, each (n,) at ``SAMPLE_RATE``, ``SPEECH_S`` in all at most.

    They come from all over what ``pattern`` reaches. One that cannot be read, or whose sample rate
    is below ``LOWEST_RATE``, is left out.

    Raises
    ------
    DataError
        If the package cannot be had, or has no such files.
    """
    root = fetch_package(packages_folder(), package, [RECORDED[package].pattern])
    paths = sorted(root.glob(pattern))
    if not paths:
        raise DataError(f"{package}: expected recordings {pattern} in {root}, found none")
    left = SPEECH_S
    for index in np.random.default_rng(0).permutation(len(paths)):
        sound = _read(paths[index])
        if sound is None:
            continue
        yield sound
        left -= len(sound) / SAMPLE_RATE
        if left <= 0:
            break


def _read(path: Path) -> NDArray[np.float64] | None:
    import soxr

    try:
        data, rate = _decode_g722(path) if path.suffix == ".g722" else soundfile.read(path)
    except (OSError, soundfile.SoundFileError) as error:
        logger.info("%s: left out (%s)", path, error)
        return None
    if rate < LOWEST_RATE:
        return None
    mono = np.asarray(data, np.float64)
    mono = (mono.mean(axis=1) if mono.ndim == 2 else mono)[: round(LONGEST_S * rate)]
    sound: NDArray[np.float64] = soxr.resample(mono, rate, SAMPLE_RATE)
    return sound


def _decode_g722(path: Path) -> tuple[NDArray[np.float64], int]:
    """Return the sound (n,) of telephony's codec for 7 kHz, and its sample rate."""
    try:
        from G722 import G722
    except ImportError as error:
        raise DataError(
            f"{path}: expected the codec G722, could not import it ({error}); "
            f"type: {install(['G722'])}"
        ) from error
    decoded = np.asarray(G722(16_000, 64_000).decode(path.read_bytes()), np.float64)
    return decoded / 32768, 16_000
