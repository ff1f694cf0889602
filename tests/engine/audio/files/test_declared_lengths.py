"""Headers that say fewer samples than the file holds, and those that are right."""

import logging
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.audio.files import declared_lengths
from engine.audio.files.declared_lengths import true_head
from engine.audio.files.file_source import FileSource

FIELDS = {  # format: what stands before the length, bytes between, its bytes, order
    "WAV": (b"data", 0, 4, "little"),
    "WAVEX": (b"data", 0, 4, "little"),
    "RF64": (b"ds64", 12, 8, "little"),
    "AIFF": (b"SSND", 0, 4, "big"),
    "CAF": (b"data", 0, 8, "big"),
    "AU": (b".snd", 4, 4, "big"),
}


def written(path: Path, kind: str) -> np.ndarray:
    sound = 0.1 * np.random.default_rng(3).standard_normal((44100, 2))
    soundfile.write(path, sound, 44100, format=kind, subtype="PCM_16")
    return heard(path)


def heard(path: Path) -> np.ndarray:
    return np.concatenate(list(FileSource(path, paced=False).blocks()))


def declare(path: Path, kind: str, n_bytes: int) -> None:
    mark, skipped, n_field, order = FIELDS[kind]
    data = bytearray(path.read_bytes())
    at = data.index(mark) + len(mark) + skipped
    assert order in ("little", "big")
    data[at : at + n_field] = n_bytes.to_bytes(n_field, "little" if order == "little" else "big")
    path.write_bytes(data)


@pytest.mark.parametrize("kind", FIELDS)
def test_samples_after_the_declared_ones_are_heard(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.sound"
    whole = written(path, kind)
    assert caplog.text == ""
    declare(path, kind, 1000)
    np.testing.assert_array_equal(heard(path), whole)
    told = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    n_declared = 1000 - {"AIFF": 8, "CAF": 4}.get(kind, 0)
    assert len(set(told)) == 1
    assert f"declares {n_declared} bytes of samples and holds 176400; all of them" in told[0]


def chunk(name: bytes, n_bytes: int) -> bytes:
    filler = np.random.default_rng(1).bytes(n_bytes)
    return name + n_bytes.to_bytes(4, "little") + filler + bytes(n_bytes % 2)


@pytest.mark.parametrize(
    "rest",
    [
        chunk(b"abcd", 99999) + chunk(b"efgh", 10),
        chunk(b"LIST", 99999)[:80000],  # cut short
        chunk(b"abcd", 99999)[:-1],  # without the byte that makes it even
        np.random.default_rng(2).bytes(1000),  # what some program leaves
        bytes(200000),  # space that was kept
    ],
)
def test_what_is_no_samples_is_left_out(
    tmp_path: Path, rest: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.wav"
    whole = written(path, "WAV")
    path.write_bytes(path.read_bytes() + rest)
    assert true_head(path) is None
    np.testing.assert_array_equal(heard(path), whole)
    assert "declares" not in caplog.text


def test_chunks_after_no_samples_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    written(path, "WAV")
    path.write_bytes(path.read_bytes()[:44] + chunk(b"abcd", 99999))
    declare(path, "WAV", 0)
    assert true_head(path) is None


def test_more_than_32_bits_can_say_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.wav"
    whole = written(path, "WAV")
    declare(path, "WAV", 1000)
    monkeypatch.setattr(declared_lengths, "_MOST", 5000)
    np.testing.assert_array_equal(heard(path), whole)
    head = true_head(path)
    assert head is not None and head.data.startswith(b"RF64")
