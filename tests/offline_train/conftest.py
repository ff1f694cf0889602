"""What tests that render have: one small SoundFont in the place of training's."""

from pathlib import Path

import pytest

from offline_train.synthesis import render

SMALL_FONT = Path("/usr/share/sounds/sf2/TimGM6mb.sf2")
"""What ``scripts/install-system test`` brings; training's own fonts come with ``train``."""


@pytest.fixture
def small_sounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have ``SMALL_FONT`` play whatever font is asked for."""
    monkeypatch.setattr(render, "find_soundfont", lambda name: SMALL_FONT)
