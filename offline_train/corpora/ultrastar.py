"""Karaoke files of UltraStar: when which note is sung.

Lines ``: START LENGTH PITCH SYLLABLE`` (``*``: golden; ``F``, ``R``, ``G``: spoken or rapped, no
pitch counts) in units of 15 / BPM seconds, from GAP milliseconds on; ``- START`` ends a phrase,
and with ``#RELATIVE:YES`` its last number is where the next phrase begins. Pitch 0 is C4; octaves
are not reliable, nor are times by some 60 ms. Format: https://usdx.eu/format. Only what is sung is
read, not the words.
"""

import logging
import math
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import DataError
from engine.core.typed_values import word
from engine.system.paths import shown
from offline_train.corpora.text_files import read_text

log = logging.getLogger(__name__)

C4 = 60
UNITS_A_MINUTE = 4  # for each beat of BPM
_SUNG = (":", "*")
_TEMPO_CHANGE = "B"


def read_sung(path: Path) -> NDArray[np.float64]:
    """Return the sung notes (n, 3) of a karaoke file: onset, offset, pitch; in order of time.

    Lines that cannot be read are left out, with a warning.

    Raises
    ------
    DataError
        The file cannot be read, it has no tempo or changes it, or nothing is sung.
    """
    lines = [line.strip() for line in read_text(path, fallback="latin-1").splitlines()]
    facts = dict(_fact(line) for line in lines if line.startswith("#"))
    unit = 60 / UNITS_A_MINUTE / _number(path, facts, "BPM", least=1.0)
    gap = _number(path, facts, "GAP", 0.0) / 1000
    is_relative = facts.get("RELATIVE", "").upper() == "YES"
    notes, begin, broken = [], 0, []
    for k, line in enumerate(lines, 1):
        numbers = _whole_numbers(line[1:])
        if line.startswith(_TEMPO_CHANGE) and len(numbers) > 1:
            raise DataError(f"{shown(path)}, line {k}: expected one tempo, got {word(line)}")
        if line.startswith("P"):
            begin = 0  # another singer's part
        elif line.startswith("-") and is_relative:
            begin += numbers[-1] if numbers else 0
        elif line.startswith(_SUNG):
            if len(numbers) < 3:
                broken.append(f"line {k}, {word(line)}")
                continue
            start, length, pitch = numbers[:3]
            onset = gap + (begin + start) * unit
            notes.append((onset, onset + length * unit, C4 + pitch))
    if broken:
        log.warning(
            "%s: left out %d lines, expected ': START LENGTH PITCH SYLLABLE': %s",
            shown(path), len(broken), broken[0],
        )  # fmt: skip
    if not notes:
        raise DataError(f"{shown(path)}: expected sung notes, ': START LENGTH PITCH SYLLABLE'")
    return np.array(sorted(notes), float)


def _fact(line: str) -> tuple[str, str]:
    """Return name and value of a line such as ``#BPM:300``."""
    name, _, value = line[1:].partition(":")
    return name.strip().upper(), value.strip()


def _number(
    path: Path, facts: dict[str, str], name: str, usual: float | None = None, least: float = -1e9
) -> float:
    text = facts.get(name, "" if usual is None else str(usual)).replace(",", ".")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value < 1e9:
        got = word(text) or "none"
        raise DataError(f"{shown(path)}: expected a line #{name}: with a number, got {got}")
    return value


def _whole_numbers(text: str) -> list[int]:
    """Return the whole numbers with which a line begins.

    >>> _whole_numbers(" 12 4 -3 la la 5")
    [12, 4, -3]
    """
    begin = re.match(r"(?:\s*-?\d{1,9}(?=\s|$))*", text)
    return [int(number) for number in begin[0].split()] if begin else []
