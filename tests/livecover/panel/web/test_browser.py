"""The browser is given a file that leads to the panel; its token is in no process's arguments."""

import os
import platform
import subprocess
import sys
import webbrowser
from pathlib import Path
from types import SimpleNamespace

import platformdirs
import pytest

from livecover.panel.web import browser
from livecover.panel.web.browser import has_window

URL = "http://127.0.0.1:7664/secret-token/"


@pytest.fixture(autouse=True)
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the browser is given; folders of nobody's."""
    addresses: list[str] = []
    monkeypatch.setattr(webbrowser, "open", addresses.append)
    monkeypatch.setattr(browser, "has_window", lambda: True)
    monkeypatch.setattr(browser, "SNAPS", tmp_path / "snaps")
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *a, **k: tmp_path / "cache")
    monkeypatch.setattr(platformdirs, "user_music_path", lambda *a, **k: tmp_path / "Music")
    return addresses


def test_a_file_of_the_users_alone_leads_to_the_panel(given: list[str], tmp_path: Path) -> None:
    with browser.opened(URL):
        (path,) = (tmp_path / "cache").iterdir()
        assert given == [path.as_uri()] and "secret" not in given[0]
        assert f'content="0; url={URL}"' in path.read_text()
        if os.name != "nt":
            assert path.stat().st_mode & 0o777 == 0o600
            assert path.parent.stat().st_mode & 0o777 == 0o700
    assert not (tmp_path / "cache").exists()


def test_a_snap_is_given_a_file_that_it_may_read(
    given: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "snaps").mkdir()
    (tmp_path / "snaps" / "firefox_firefox.desktop").touch()
    (tmp_path / "Music" / "LiveCover").mkdir(parents=True)
    told = SimpleNamespace(stdout="firefox_firefox.desktop\n")
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: told)
    with browser.opened(URL):
        (path,) = (tmp_path / "Music" / "LiveCover").iterdir()
        assert given == [path.as_uri()]
    assert list((tmp_path / "Music" / "LiveCover").iterdir()) == []
    told.stdout = "chromium.desktop\n"
    with browser.opened(URL):
        assert len(list((tmp_path / "cache").iterdir())) == 1


@pytest.mark.skipif(os.name == "nt", reason="links are POSIX's")
def test_nobodys_file_is_written_over(given: list[str], tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "panel-7664.html").symlink_to(victim)
    with browser.opened(URL):
        assert len(given) == 1
    assert victim.read_text() == "mine"


def test_where_no_window_can_be_opened_nothing_is(
    given: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser, "has_window", lambda: False)
    with browser.opened(URL):
        assert given == [] and not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("system", "display", "release", "expected"),
    [
        ("linux", ":0", "6.1.0", True),
        ("linux", "", "6.1.0", False),
        ("linux", ":0", "5.15.90.1-microsoft-standard-WSL2", False),
        ("darwin", "", "24.0", True),
    ],
)
def test_who_has_a_window(
    system: str, display: str, release: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "release", lambda: release)
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert has_window() is expected


def test_without_a_place_for_the_file_the_panel_is_there_all_the_same(
    given: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").write_text("no folder")
    with browser.opened(URL):
        assert given == []
    assert "no browser was opened (" in caplog.text and "secret" not in caplog.text
