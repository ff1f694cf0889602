"""Makes the piano that comes with livecover: a small SoundFont of Salamander Grand V3's samples.

``livecover-train soundfont --out livecover/sounds/piano.sf3``. Recorded by Alexander Holm, CC BY
3.0 (``offline_train.synthesis.pianos.salamander``); here every second of its recorded keys, three
of its velocities, shortened, at 32 kHz. Format: SoundFont 2.04 specification, E-mu 2006, with Ogg
Vorbis samples as MuseScore's SF3 has them. Samples are (n, 2).
"""

import io
import itertools
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from offline_train.corpora.notes import UNDAMPED
from offline_train.synthesis.pianos.salamander import Piano, ensure_salamander

LAYERS = (4, 10, 16)
TOPS = (58, 100, 127)
"""The highest velocity that each of the layers plays."""
ROOTS = range(21, 109, 6)
SAMPLE_RATE = 32_000
LONGEST, SHORTEST = 6.0, 2.0
"""Seconds kept of the lowest and of the highest tone."""
FADE = 0.4
COMPRESSION = 0.6
"""Of Ogg Vorbis, 0 (best) to 1 (smallest)."""
LEVEL_S = 0.5
"""Seconds over which a tone's level is taken."""
PEAK = 0.95

_LEFT, _RIGHT, _VORBIS = 4, 2, 0x10  # kinds of sample
# Generators, section 8.1.2.
_PAN, _RELEASE, _KEYS, _VELOCITIES = 17, 38, 43, 44
_INSTRUMENT, _SAMPLE, _ROOT = 41, 53, 58
_CREDIT = "Salamander Grand Piano V3 by Alexander Holm, CC BY 3.0, shortened and thinned"


@dataclass(frozen=True, slots=True)
class _Sample:
    """One channel of one tone, packed."""

    name: str
    data: bytes
    root: int
    is_left: bool


@dataclass(frozen=True, slots=True)
class _Zone:
    """Keys and velocities that a pair of samples plays."""

    keys: tuple[int, int]
    velocities: tuple[int, int]
    root: int
    release: int  # timecents


def make_soundfont(piano: Piano) -> bytes:
    """Return the SoundFont, whole."""
    tones = {(root, layer): _tone(piano, root, layer) for root in ROOTS for layer in LAYERS}
    for root, layer in tones:
        # As loud as the loudest layer's: velocity makes the difference, by a SoundFont's own curve,
        # so that there is no step from layer to layer. What differs is how bright they are.
        tones[root, layer] *= _level(tones[root, LAYERS[-1]]) / _level(tones[root, layer])
    loudest = max(float(np.abs(tone).max()) for tone in tones.values())
    samples: list[_Sample] = []
    zones: list[_Zone] = []
    for (root, layer), tone in tones.items():
        for channel, is_left in ((0, True), (1, False)):
            data = _packed(tone[:, channel] * (PEAK / loudest))
            samples.append(_Sample(f"{root}v{layer}{'LR'[channel]}", data, root, is_left))
        zones.append(_zone(root, layer))
    lists = [
        _list(b"INFO", _info()),
        _list(b"sdta", _chunk(b"smpl", b"".join(sample.data for sample in samples))),
        _list(b"pdta", b"".join(_articulation(samples, zones))),
    ]
    return _chunk(b"RIFF", b"sfbk" + b"".join(lists))


def _tone(piano: Piano, root: int, layer: int) -> NDArray[np.float32]:
    """Return a tone (n, 2), faded at the length that its pitch is kept for."""
    share = (root - ROOTS[0]) / (ROOTS[-1] - ROOTS[0])
    n = round((LONGEST + share * (SHORTEST - LONGEST)) * SAMPLE_RATE)
    tone: NDArray[np.float32] = piano.tone(root, layer)[:n].astype(np.float32)
    tone /= 32768
    n_fade = min(len(tone), round(FADE * SAMPLE_RATE))
    fade = np.cos(np.linspace(0, np.pi / 2, n_fade, dtype=np.float32)) ** 2
    tone[len(tone) - n_fade :] *= fade[:, None]
    return tone


def _level(tone: NDArray[np.float32]) -> float:
    """Return how loud a tone begins."""
    return float(np.sqrt(np.mean(tone[: round(LEVEL_S * SAMPLE_RATE)] ** 2)))


def _packed(samples: NDArray[np.float32]) -> bytes:
    """Return Ogg Vorbis."""
    file = io.BytesIO()
    soundfile.write(
        file, samples, SAMPLE_RATE, format="OGG", subtype="VORBIS", compression_level=COMPRESSION
    )
    return file.getvalue()


def _zone(root: int, layer: int) -> _Zone:
    step = ROOTS.step
    low = 0 if root == ROOTS[0] else root - step // 2 + 1
    high = 127 if root == ROOTS[-1] else root + step // 2
    number = LAYERS.index(layer)
    bottom = 1 if number == 0 else TOPS[number - 1] + 1
    # A fall to 1/e in 150 ms at A0, 60 ms where the dampers end
    # (offline_train.synthesis.pianos.salamander), is one by 100 dB, which a release counts, in 11.5
    # times that.
    fall = 0.15 + (0.06 - 0.15) * (root - 21) / (UNDAMPED - 21)
    seconds = 5.0 if root >= UNDAMPED else 11.5 * fall
    return _Zone((low, high), (bottom, TOPS[number]), root, round(1200 * np.log2(seconds)))


def _info() -> bytes:
    texts = {b"isng": "EMU8000", b"INAM": "livecover piano", b"ICOP": _CREDIT, b"ICMT": _CREDIT}
    return _chunk(b"ifil", struct.pack("<HH", 3, 1)) + b"".join(
        _chunk(name, _text(text, -(-(len(text) + 1) // 2) * 2)) for name, text in texts.items()
    )


def _articulation(samples: Sequence[_Sample], zones: Sequence[_Zone]) -> Iterator[bytes]:
    """Yield the nine chunks of a SoundFont with one preset of one instrument."""
    yield _chunk(
        b"phdr",
        struct.pack("<20sHHHIII", b"Piano", 0, 0, 0, 0, 0, 0)
        + struct.pack("<20sHHHIII", b"EOP", 0, 0, 1, 0, 0, 0),
    )
    yield _chunk(b"pbag", struct.pack("<HHHH", 0, 0, 1, 0))
    yield _chunk(b"pmod", bytes(10))
    yield _chunk(b"pgen", struct.pack("<HHHH", _INSTRUMENT, 0, 0, 0))
    yield _chunk(
        b"inst",
        struct.pack("<20sH", b"Piano", 0) + struct.pack("<20sH", b"EOI", 2 * len(zones)),
    )
    generators: list[bytes] = []
    bags: list[bytes] = []
    for number, zone in enumerate(zones):
        for channel, pan in ((0, -500), (1, 500)):
            bags.append(struct.pack("<HH", len(generators), 0))
            generators += [
                struct.pack("<HBB", _KEYS, *zone.keys),
                struct.pack("<HBB", _VELOCITIES, *zone.velocities),
                struct.pack("<Hh", _PAN, pan),
                struct.pack("<Hh", _RELEASE, zone.release),
                struct.pack("<Hh", _ROOT, zone.root),
                struct.pack("<HH", _SAMPLE, 2 * number + channel),
            ]
    bags.append(struct.pack("<HH", len(generators), 0))
    yield _chunk(b"ibag", b"".join(bags))
    yield _chunk(b"imod", bytes(10))
    yield _chunk(b"igen", b"".join(generators) + bytes(4))
    yield _chunk(b"shdr", b"".join(_headers(samples)))


def _headers(samples: Sequence[_Sample]) -> Iterator[bytes]:
    ends = list(itertools.accumulate(len(sample.data) for sample in samples))
    for number, (sample, end) in enumerate(zip(samples, ends, strict=True)):
        kind = (_LEFT if sample.is_left else _RIGHT) | _VORBIS
        partner = number + 1 if sample.is_left else number - 1
        start = end - len(sample.data)
        place = (start, end, 0, 0, SAMPLE_RATE)  # in bytes where a sample is packed; no loop
        yield struct.pack(
            "<20sIIIIIBbHH", sample.name.encode(), *place, sample.root, 0, partner, kind
        )
    yield struct.pack("<20sIIIIIBbHH", b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0)


def _text(text: str, length: int) -> bytes:
    return text.encode("ascii").ljust(length, b"\0")


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


def _list(name: bytes, data: bytes) -> bytes:
    return _chunk(b"LIST", name + data)


def make_piano(out: Path, folder: Path | None = None) -> None:
    """Write the SoundFont of the samples in a folder, or fetched.

    Raises DataError as ``ensure_salamander``, OSError where it cannot be written.
    """
    piano = Piano(ensure_salamander(folder, LAYERS), SAMPLE_RATE)
    piano.layers = list(LAYERS)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(make_soundfont(piano))
