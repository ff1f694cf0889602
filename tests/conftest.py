"""What every test has: chance with a seed, a home of its own, tiny models and a sound for them."""

import os
import random
import signal
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.system.bounded import separate_shutdown
from tests.tiny import FOLDER, TINY_FEATURES


def pytest_configure() -> None:
    """Start as from a terminal: under nohup SIGHUP is ignored, and what tests start inherits it."""
    if sys.platform != "win32":
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def seed() -> None:
    """Let chance take the same course, whatever ran before and in whatever order."""
    random.seed(0)
    np.random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Seed before the first fixture, those of a whole session among them."""
    seed()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call() -> None:
    """Seed anew: which fixtures were there already depends on the order of tests."""
    seed()


ALLOWED_SKIP = "ALSA sequencer"
"""In the reason of what is tested on machines without this kernel module, and there in JACK."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a test that is skipped has failed: something is missing that the tests should bring."""
    report = yield
    is_skip = report.skipped and not hasattr(report, "wasxfail")
    if is_skip and os.environ.get("CI") and ALLOWED_SKIP not in str(report.longrepr):
        report.outcome, report.longrepr = "failed", f"in CI nothing is skipped: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that is skipped as a whole."""
    report = yield
    if report.skipped and os.environ.get("CI") and ALLOWED_SKIP not in str(report.longrepr):
        report.outcome, report.longrepr = "failed", f"in CI nothing is skipped: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def no_ending() -> Iterator[None]:
    """Let no test begin after the end of a program that another has ended."""
    with separate_shutdown():
        yield


OF_THE_SHELL = ("LIVECOVER_DATA", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")


@pytest.fixture(scope="session", autouse=True)
def own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what is set up for whoever runs the tests out of them, and their files untouched."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        for name in os.environ:
            is_of_home = name.startswith("XDG_") and name != "XDG_RUNTIME_DIR"
            if is_of_home or name in OF_THE_SHELL:
                patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def tiny_folder() -> Path:
    """The folder of the tiny models; do not change what lies in it."""
    return FOLDER


@pytest.fixture(scope="session")
def tiny_stateful_path(tiny_folder: Path) -> Path:
    """The file of a stateful model, ``TINY_STATEFUL``, its front end beside it."""
    return tiny_folder / "tiny.onnx"


@pytest.fixture(scope="session")
def tiny_window_path(tiny_folder: Path) -> Path:
    """The file of a window model, ``TINY_WINDOW``, its local stage and front end beside it."""
    return tiny_folder / "tiny-window.onnx"


@pytest.fixture(scope="session")
def tiny_song() -> NDArray[np.float32]:
    """Three seconds of mono at the tiny models' 4 kHz: noise and tones that start and stop."""
    rng = np.random.default_rng(5)
    time = np.arange(3 * TINY_FEATURES.sample_rate) / TINY_FEATURES.sample_rate
    tones = sum(
        np.sin(2 * np.pi * f * time) * (np.floor(time / d) % 2)
        for f, d in ((110, 0.31), (277, 0.17), (830, 0.11))
    )
    song: NDArray[np.float32] = (0.2 * tones + 0.02 * rng.standard_normal(len(time))).astype(
        np.float32
    )
    return song
