"""The chain of real servers for each test; where a program is missing, the test says so."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e import chain as real
from tests.e2e import songs
from tests.e2e.servers import PROGRAMS
from tests.programs import missing_programs

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def require(*programs: str) -> None:
    """Skip the test where one of ``programs`` is not installed."""
    missing = missing_programs(*programs)
    if missing:
        pytest.skip(f"missing: {', '.join(missing)}; run scripts/install-system test")


def require_chain() -> None:
    """Skip the test where the chain cannot run."""
    require(*PROGRAMS, "fluidsynth")
    if Path("/dev/snd/seq").exists():
        pytest.skip("this machine has an ALSA sequencer, where the port would open, not in JACK")


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[real.Chain]:
    """PulseAudio, JACK and a recorder, private to the test, whose clients leave in peace."""
    require_chain()
    with real.chain(tmp_path) as running:
        yield running


@pytest.fixture
def rough_chain(tmp_path: Path) -> Iterator[real.Chain]:
    """The same for a test that kills a client of JACK; on a busy machine MIDI may be lost."""
    require_chain()
    with real.chain(tmp_path, is_synchronous=False) as running:
        yield running


@pytest.fixture
def tune(tmp_path: Path) -> songs.Song:
    """A tune of eight clear notes, 6.5 seconds with its silent end."""
    return songs.tune_song(tmp_path / "tune.wav")


@pytest.fixture
def chords(tmp_path: Path) -> songs.Song:
    """Four chords that are held for three seconds each."""
    return songs.long_note_song(tmp_path / "chords.wav")


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """A headless Chromium."""
    pytest.importorskip("playwright")
    from tests.e2e.browser import chromium, running_browser

    if chromium() is None:
        require("chromium")
    with running_browser() as running:
        yield running
