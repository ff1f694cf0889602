"""Text and JSON of others: with a mark, in another encoding, nested, of odd numbers."""

from pathlib import Path

import pytest

from engine.core.errors import DataError
from offline_train.corpora.text_files import read_json, read_text
from offline_train.studies.pairs.folder import find_pairs


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_is_read_without_its_mark(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("Für Elise\n".encode(encoding))
    assert read_text(path) == "Für Elise\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "expected a text file, could not read it"),
        (b"F\xfcr Elise", "expected text in UTF-8, got an unknown file"),
        (b"fLaC\xff\xff", "expected text in UTF-8, got a FLAC file"),
        (b"{", "expected JSON"),
        (b"[" * 100_000, "expected JSON, it is nested too deeply"),
        (b"1" * 5000, "expected JSON"),
    ],
)
def test_what_says_nothing_is_one_line(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=rf"a\.json: {message}") as caught:
        read_json(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_pairs_of_a_spreadsheet(tmp_path: Path, encoding: str) -> None:
    for name in ("Für.wav", "b.wav"):
        (tmp_path / name).touch()
    (tmp_path / "pairs.csv").write_bytes("song,cover\r\nFür.wav,b.wav\r\n".encode(encoding))
    (pair,) = find_pairs(tmp_path)
    assert pair.song == tmp_path / "Für.wav"
