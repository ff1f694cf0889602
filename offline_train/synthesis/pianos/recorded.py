"""Recorded pianos that training may use: two grands and an upright, fetched with git when wanted.

Splendid Grand Piano, a Steinway of Akai's (public domain), and Headroom Piano, a Yamaha C3 by
Bengt Nilsson (CC BY 4.0), both mapped by kinwie, https://github.com/sfzinstruments; Upright Piano
KW, a Kawai by Gonzalo and Roberto (CC0), https://freepats.zenvoid.org. Of a library its samples'
file names are read, not its SFZ file. Shapes: n samples, mono at ``sample_rate``. Not here: the
piano that is kept for tests (``salamander``), room and mastering (``mixing``).
"""

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy.signal import oaconvolve

from engine.core.errors import DataError
from engine.system.paths import cache_folder
from offline_train.corpora.notes import UNDAMPED, Note

Array = NDArray[np.float32]

STEPS = {"C": 0, "C#": 1, "D": 2, "D#": 3, "E": 4, "F": 5, "F#": 6}
STEPS |= {"G": 7, "G#": 8, "A": 9, "A#": 10, "B": 11}
LONGEST_S, FADE_S = 8.0, 0.5  # of a tone, and of its end there
LEAD_S = 0.002  # kept before the attack
ATTACK = 0.05  # of a tone's peak
N_PARTIALS = 16  # whose strength is drawn for each key
TAPS = 8192  # of the filter that does it


@dataclass(frozen=True, slots=True, eq=False)
class Library:
    """A piano's samples in a repository.

    ``pattern`` finds ``layer``, and ``key`` or ``note`` and ``octave`` in a file's name; ``tops``
    are the highest velocities of the layers, softest first.
    """

    url: str
    licence: str
    pattern: re.Pattern[str]
    tops: Mapping[str, int]
    lowest_octave: int = 0  # in the names, of key 12
    samples: str = "Samples"  # the folder of its samples

    @property
    def name(self) -> str:
        """Return the repository's name."""
        return self.url.rsplit("/", 1)[1]


LIBRARIES = (
    Library(
        "https://github.com/sfzinstruments/SplendidGrandPiano",
        "public domain",
        re.compile(r"(?P<layer>PP|MP|MF|FF) (?P<note>[A-G]#?)(?P<octave>-?\d)\.flac", re.I),
        {"pp": 67, "mp": 84, "mf": 100, "ff": 127},
        lowest_octave=-1,
    ),
    Library(
        "https://github.com/sfzinstruments/BengtNilsson.HeadroomPiano",
        "CC BY 4.0",
        re.compile(r".* LEVEL(?P<layer>\d) (?P<microphones>CLOSE|DECCA) (?P<key>\d+)\.flac"),
        {"1": 59, "2": 89, "3": 105, "4": 119, "5": 127},
    ),
    Library(
        "https://github.com/freepats/upright-piano-KW",
        "CC0",
        re.compile(r"(?P<note>[A-G]#?)(?P<octave>\d)v(?P<layer>[LH])\.flac"),
        {"l": 80, "h": 127},
        samples="samples",
    ),
)


def ensure_library(library: Library, folder: Path | None = None) -> Path:
    """Return the folder of a library, fetching it with git if it is not there.

    Parameters
    ----------
    library
        One of ``LIBRARIES``.
    folder
        Where libraries lie; below the user's cache by default.

    Raises
    ------
    DataError
        If git or the network is missing.
    """
    place = (folder or cache_folder() / "pianos") / library.name
    if place.is_dir():
        return place
    partial = place.with_name(f".{place.name}.partial")
    command = ["git", "clone", "--quiet", "--depth", "1", library.url, str(partial)]
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(command, check=True, capture_output=True, timeout=1800)
        partial.rename(place)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None)
        reason = said.decode(errors="replace").strip()[-200:] if said else str(error)
        raise DataError(
            f"{library.url}: expected to fetch a recorded piano with git into {place} ({reason});"
            " install git and check the network, or clone it there"
        ) from error
    return place


class RecordedTones:
    """The tones of a library's folder, read and resampled as they are first needed.

    Raises
    ------
    DataError
        If the folder has no sample of the library.
    """

    def __init__(self, library: Library, folder: Path, sample_rate: int) -> None:
        self.library, self.sample_rate = library, sample_rate
        self._files: dict[tuple[str, str], dict[int, Path]] = {}
        for path in sorted((folder / library.samples).glob("*.flac")):
            found = library.pattern.fullmatch(path.name)
            if found:
                parts = found.groupdict()
                kind = parts.get("microphones", ""), parts["layer"].lower()
                self._files.setdefault(kind, {})[self._key(parts)] = path
        if not self._files:
            raise DataError(
                f"{folder}: expected samples of {library.name}, found none; remove the folder, and"
                " it is fetched again"
            )
        self.microphones = sorted({microphones for microphones, _ in self._files})
        self._tones: dict[tuple[str, str, int], Array] = {}

    def _key(self, parts: Mapping[str, str]) -> int:
        if "key" in parts:
            return int(parts["key"])
        octave = int(parts["octave"]) - self.library.lowest_octave
        return 12 * (octave + 1) + STEPS[parts["note"].upper()]

    def tone(self, microphones: str, layer: str, pitch: int) -> Array:
        """Return a key's tone (n,) from its attack on, its peak 1."""
        name = microphones, layer, pitch
        if name not in self._tones:
            files = self._files[microphones, layer]
            root = min(files, key=lambda key: abs(key - pitch))
            self._tones[name] = self._read(files[root], 2 ** ((pitch - root) / 12))
        return self._tones[name]

    def _read(self, path: Path, ratio: float) -> Array:
        try:
            with soundfile.SoundFile(path) as file:
                frames = int((LONGEST_S * ratio + 0.5) * file.samplerate)
                sound = file.read(frames, dtype="float32", always_2d=True).mean(1)
                rate: int = file.samplerate
        except (OSError, soundfile.SoundFileError) as error:
            raise DataError(
                f"{path}: expected a sample of a recorded piano ({error}); remove {path.parent}'s"
                " folder, and it is fetched again"
            ) from error
        sound /= max(float(np.abs(sound).max(initial=0.0)), 1e-6)
        attack = int(np.argmax(np.abs(sound) > ATTACK))
        sound = sound[max(0, attack - int(LEAD_S * rate)) :]
        tone: Array = soxr.resample(sound, rate * ratio, self.sample_rate)
        tone = tone[: round(LONGEST_S * self.sample_rate)]
        n_fade = min(len(tone), round(FADE_S * self.sample_rate))
        tone[len(tone) - n_fade :] *= np.linspace(1, 0, n_fade, dtype=np.float32)
        return tone


@lru_cache(maxsize=4)
def load_tones(library: Library, folder: Path, sample_rate: int) -> RecordedTones:
    """Return the tones of a folder, the same at each call; raises DataError as they do."""
    return RecordedTones(library, folder, sample_rate)


def revoice(tone: Array, hz: float, sample_rate: int, gains_db: NDArray[np.float64]) -> Array:
    """Return a tone (n,) whose partials (p,) are louder by ``gains_db``, what lies between as well.

    The filter is of minimum phase, so that nothing is heard before the attack.
    """
    at = np.arange(len(gains_db) + 2) * hz
    curve = np.concatenate([[0.0], gains_db, [0.0]])  # none at 0 Hz and above the last partial
    log_gain = np.interp(np.fft.rfftfreq(TAPS, 1 / sample_rate), at, curve) * np.log(10) / 20
    cepstrum = np.fft.irfft(log_gain)
    cepstrum[1 : TAPS // 2] *= 2
    cepstrum[TAPS // 2 + 1 :] = 0
    taps = np.fft.irfft(np.exp(np.fft.rfft(cepstrum))).astype(np.float32)
    revoiced: Array = oaconvolve(tone, taps)[: len(tone)]
    return revoiced


class RecordedPiano:
    """A recorded piano as it is heard once: microphones, partials, touch and dampers are drawn."""

    def __init__(self, tones: RecordedTones, rng: np.random.Generator) -> None:
        self._tones, self._rng = tones, rng
        share = rng.dirichlet(np.ones(len(tones.microphones)))
        self._shares = dict(zip(tones.microphones, share, strict=True))
        self._firmness = rng.uniform(-12, 12)  # of the hammers, in velocities
        self._range_db = rng.uniform(22, 45)  # from velocity 1 to 127
        self._voicing = 10 ** (rng.normal(0, rng.uniform(0, 2), 128) / 20)
        self._release_s = rng.uniform(0.03, 0.14)
        self._partials_db = rng.normal(0, rng.uniform(0, 5), (128, N_PARTIALS))
        self._voiced: dict[tuple[str, int], Array] = {}

    def play(self, notes: Sequence[Note], seconds: float) -> Array:
        """Return the sound (n,) of notes, each as long as key or pedal holds it."""
        rate = self._tones.sample_rate
        total = np.zeros(round(seconds * rate), np.float32)
        for note in notes:
            start = round(note.onset * rate)
            if not 0 <= start < len(total):
                continue
            tone = self._tone(note)[: len(total) - start]
            total[start : start + len(tone)] += tone
        return total

    def _tone(self, note: Note) -> Array:
        """Return the sound (n,) of one note."""
        library, rate = self._tones.library, self._tones.sample_rate
        struck = note.velocity + self._firmness
        layer = next((name for name, top in library.tops.items() if struck <= top), None)
        layer = layer or list(library.tops)[-1]
        if (layer, note.pitch) not in self._voiced:
            self._voiced[layer, note.pitch] = self._voice(layer, note.pitch)
        loudness = 10 ** (self._range_db * (note.velocity / 127 - 1) / 20)
        loudness *= self._voicing[note.pitch] * 10 ** (self._rng.normal(0, 0.5) / 20)
        tone: Array = np.float32(loudness) * self._voiced[layer, note.pitch]
        if note.pitch >= UNDAMPED:
            return tone
        up = max(1, round((note.offset - note.onset) * rate))
        fall = self._release_s * 2 ** ((60 - note.pitch) / 24) * rate
        tone = tone[: up + int(7 * fall)]  # -60 dB
        if len(tone) > up:
            tone[up:] *= np.exp(-np.arange(len(tone) - up) / fall).astype(np.float32)
        return tone

    def _voice(self, layer: str, pitch: int) -> Array:
        """Return a key's tone (n,) as its microphones hear it, its partials as they are drawn."""
        heard = [
            np.float32(share) * self._tones.tone(microphones, layer, pitch)
            for microphones, share in self._shares.items()
        ]
        n = min(map(len, heard))
        hz = 440 * 2 ** ((pitch - 69) / 12)
        tone: Array = np.sum([h[:n] for h in heard], 0)
        return revoice(tone, hz, self._tones.sample_rate, self._partials_db[pitch])


def recorded_piano(
    rng: np.random.Generator, sample_rate: int, folder: Path | None = None
) -> RecordedPiano:
    """Return one of the libraries as it is heard once. Raises DataError as ``ensure_library``."""
    library = LIBRARIES[rng.integers(len(LIBRARIES))]
    return RecordedPiano(load_tones(library, ensure_library(library, folder), sample_rate), rng)
