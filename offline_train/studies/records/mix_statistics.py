"""What a mix is like in numbers: records beside the mixes that training makes.

Voice to band is measured as a separator hears it, on records and mixes alike: a lead that no
separator takes for a voice is none. Of a mix it is known, too. Sounds are mono (n,).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from offline_train.data.sampler import gains_of, mix_piece
from offline_train.data.shards import StoredPiece, read_shards
from offline_train.data.sound_files import read_part
from offline_train.evaluation.songs.recordings import find_recordings
from offline_train.synthesis.stems import SAMPLE_RATE

Array = NDArray[np.float32]
Separate = Callable[[Array, int], tuple[Array, Array]]
"""(sound, sample rate) -> voice and rest."""

EXCERPT_S = 60.0
FRAME_S = 0.05
LOUDNESS_S = 3.0
SUNG_DB = -15.0  # below its loudest, where a voice sings
VOICES = ("voice", "choir")
OCTAVES_HZ = (60, 125, 250, 500, 1000, 2000, 4000)
SILENT = 1e-9


@dataclass(frozen=True, slots=True)
class Mix:
    """A sound, and its voice and the rest as they were mixed where that is known."""

    samples: Array
    parts: tuple[Array, Array] | None = None


def recorded(folder: Path) -> Iterator[Mix]:
    """Yield a minute of each recording in a folder. Raises DataError without any."""
    for found in find_recordings(folder, "sung").values():
        assert isinstance(found, Path)
        yield Mix(read_part(found, 0.0, EXCERPT_S))


def trained_on(folder: Path, limit: int) -> Iterator[Mix]:
    """Yield a minute of sung pieces of a folder of shards, mixed and mastered as in training."""
    sung = [piece for piece in read_shards(folder) if "voice" in piece.facts.get("roles", ())]
    for k in np.random.default_rng(0).permutation(len(sung))[:limit].tolist():
        if (mix := _mix(sung[k], k)) is not None:
            yield mix


def _mix(piece: StoredPiece, seed: int) -> Mix | None:
    """Return a mix of a piece; None of one without its voice."""
    roles = piece.facts["roles"]
    gains = gains_of(piece, np.random.default_rng(seed))
    if not gains[roles.index("voice")]:
        return None
    samples, _ = mix_piece(piece, np.random.default_rng(seed))
    stems = np.asarray(piece.array("stems"), np.float32) * gains
    is_voice = np.isin(roles, VOICES)
    n = round(EXCERPT_S * SAMPLE_RATE)
    parts = (stems[:n, is_voice].sum(1), stems[:n, ~is_voice].sum(1))
    return Mix(samples[:n], parts)


def statistics(mix: Mix, separate: Separate) -> dict[str, float]:
    """Return what a mix is like, by name."""
    samples = mix.samples
    voice, rest = separate(samples, SAMPLE_RATE)
    found = {"voice to band, as separated (dB)": voice_to_band(voice, rest)}
    if mix.parts is not None:
        found["voice to band, as mixed (dB)"] = voice_to_band(*mix.parts)
    found["share of the time that is sung"] = float(np.mean(_is_sung(voice)))
    rms = np.sqrt(_power(samples, LOUDNESS_S))
    peaks = np.abs(_frames(samples, LOUDNESS_S)).max(1)
    found["crest factor (dB)"] = float(np.median(_db(peaks**2) - _db(rms**2)))
    low, high = np.quantile(_db(rms**2), (0.1, 0.9))
    found["loudness, 10th to 90th percentile (dB)"] = float(high - low)
    return found | octave_levels(samples)


def voice_to_band(voice: Array, rest: Array) -> float:
    """Return how much louder a voice is than the rest where it sings, in dB."""
    is_sung = _is_sung(voice)
    powers = (_power(part, FRAME_S)[is_sung].sum() for part in (voice, rest))
    loud, other = (float(_db(power)) for power in powers)
    return loud - other


def octave_levels(samples: Array) -> dict[str, float]:
    """Return the level of each octave in the whole, in dB."""
    frames = _frames(samples, 0.5)
    power = (np.abs(np.fft.rfft(frames * np.hanning(frames.shape[1]), axis=1)) ** 2).mean(0)
    hz = np.fft.rfftfreq(frames.shape[1], 1 / SAMPLE_RATE)
    whole = power[hz >= OCTAVES_HZ[0]].sum()
    return {
        f"{low} to {2 * low} Hz (dB)": float(
            _db(power[(hz >= low) & (hz < 2 * low)].sum()) - _db(whole)
        )
        for low in OCTAVES_HZ
    }


def compare(mixes: Mapping[str, Iterable[Mix]], separate: Separate) -> str:
    """Return a table in Markdown: a column a kind of mix, medians and 10th to 90th percentiles."""
    return table(
        {
            name: [statistics(mix, separate) for mix in tqdm(kind, name, unit="mix")]
            for name, kind in mixes.items()
        }
    )


def table(columns: Mapping[str, Sequence[dict[str, float]]]) -> str:
    """Return the table of the statistics of each kind of mix."""
    rows: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for mixes in columns.values() for mix in mixes for name in mix):
        found = ([mix[name] for mix in mixes if name in mix] for mixes in columns.values())
        rows[name] = [_shown(values) for values in found]
    heads = [f"{name}, {len(mixes)}" for name, mixes in columns.items()]
    lines = [f"| | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(row)} |" for name, row in rows.items())])


def _shown(values: Sequence[float]) -> str:
    if not values:
        return "–"
    low, middle, high = np.quantile(values, (0.1, 0.5, 0.9))
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def _is_sung(voice: Array) -> NDArray[np.bool_]:
    power = _power(voice, FRAME_S)
    return np.asarray(power > max(float(np.quantile(power, 0.95)), SILENT) * 10 ** (SUNG_DB / 10))


def _frames(samples: Array, seconds: float) -> Array:
    size = round(seconds * SAMPLE_RATE)
    n = max(len(samples) // size, 1)
    return np.resize(samples, n * size).reshape(n, size)


def _power(samples: Array, seconds: float) -> Array:
    return np.asarray((_frames(samples, seconds) ** 2).mean(1))


def _db(power: Array | np.floating) -> NDArray[np.floating]:
    return np.asarray(10 * np.log10(np.maximum(power, SILENT)))
