"""Karaoke files: units, parts, encodings, and what cannot be read."""

from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import DataError
from offline_train.corpora.ultrastar import read_sung
from tests.messages import says

HEAD = "#TITLE:A song\n#BPM:150\n#GAP:2000\n"  # a unit is a tenth of a second


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    (path / "song.txt").write_bytes(text.encode(encoding))
    return path / "song.txt"


def test_notes_are_units_of_the_tempo_after_the_gap(tmp_path: Path) -> None:
    text = HEAD + ": 0 4 0 Oh\n* 10 2 -5  gold \n- 14\nF 16 2 3 said\nR 18 2 3 rap\n: 20 5 12\nE\n"
    assert read_sung(written(tmp_path, text)) == pytest.approx(
        np.array([[2.0, 2.4, 60], [3.0, 3.2, 55], [4.0, 4.5, 72]])
    )


@pytest.mark.parametrize(
    ("text", "onsets"),
    [
        ("#BPM:149,5\n#GAP: 100,5\n: 10 1 0 la\n", [0.1005 + 10 * 15 / 149.5]),
        ("#bpm:150\n: 10 1 0 la\n", [1.0]),  # no gap
        ("#BPM:150\r\n:10 1 0 la\r\n  : 20\t1 0\tla\r\n", [1.0, 2.0]),
        ("#BPM:150\n#RELATIVE:YES\n: 5 1 0\n- 8 10\n: 5 1 0\n- 20\n: 1 1 0\n", [0.5, 1.5, 3.1]),
        ("#BPM:150\n#RELATIVE:YES\nP1\n: 5 1 0 a\n- 8\nP2\n: 6 1 0 b\n", [0.5, 0.6]),
        ("#BPM:150\n: 20 1 0 second\n: 10 1 0 first\n", [1.0, 2.0]),
    ],
)  # fmt: skip
def test_ways_to_write_the_same(text: str, onsets: list[float], tmp_path: Path) -> None:
    assert read_sung(written(tmp_path, text))[:, 0] == pytest.approx(onsets)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_any_encoding(encoding: str, tmp_path: Path) -> None:
    sung = read_sung(written(tmp_path, HEAD + ": 0 4 0 müde\n", encoding))
    assert sung.tolist() == [[2.0, 2.4, 60.0]]


def test_a_broken_line_is_left_out_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path, HEAD + ": 0 4 0 la\n: 5 four 0 la\n: 9 4\n: 20 1 2 la\n")
    assert len(read_sung(path)) == 2
    (record,) = caplog.records
    says(record.getMessage(), "song.txt", "2 lines", "': START LENGTH PITCH SYLLABLE'", "line 5")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (": 0 4 0 la\n", ("song.txt", "#BPM:", "none")),
        ("#BPM:fast\n: 0 4 0 la\n", ("#BPM:", "fast")),
        ("#BPM:0\n: 0 4 0 la\n", ("#BPM:", "0")),
        ("#BPM:nan\n: 0 4 0 la\n", ("#BPM:", "nan")),
        ("#BPM:150\n#GAP:later\n: 0 4 0 la\n", ("#GAP:", "later")),
        (HEAD + "B 5 300\n: 0 4 0 la\n", ("line 4", "one tempo", "B 5 300")),
        (HEAD + "F 0 4 0 said\nE\n", ("song.txt", "sung notes")),
        ("", ("song.txt", "#BPM:")),
        ("\x00\x01\xff\xd8", ("song.txt", "#BPM:")),
    ],
)
def test_what_is_no_karaoke_file_is_told(text: str, parts: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_sung(written(tmp_path, text, "latin-1"))
    says(caught.value, *parts)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_sung(tmp_path / "song.txt")
    says(caught.value, "song.txt")
