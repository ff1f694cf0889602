"""A machine without MIDI, and a command that opens fake engines."""

import contextlib
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from livecover import playing as subject
from tests.livecover.fake_engine import FakeEngine


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, no settings of the user's, and no MIDI."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subject, "midi_control", lambda instrument: contextlib.nullcontext())
    monkeypatch.setattr(platformdirs, "user_config_path", lambda *a, **k: tmp_path / "none")
    monkeypatch.setattr(platformdirs, "user_log_path", lambda *a, **k: tmp_path / "logs")
    return tmp_path


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[FakeEngine]:
    """The fake engines that the command makes."""
    made: list[FakeEngine] = []

    def make(settings: Any, taps: Any) -> FakeEngine:
        made.append(FakeEngine(settings, taps))
        return made[-1]

    monkeypatch.setattr(subject, "Engine", make)
    return made
