"""Started by an icon: a second start shows the first's panel, and a browser shows errors."""

import socket
import sys
import webbrowser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import platformdirs
import pytest

from engine.core.errors import ConfigError
from livecover.panel.web import browser, desktop
from livecover.panel.web.browser import opened
from livecover.settings.panel import PanelSettings


@pytest.fixture(autouse=True)
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the browser is given; folders of nobody's; no terminal."""
    addresses: list[str] = []
    monkeypatch.setattr(webbrowser, "open", addresses.append)
    monkeypatch.setattr(browser, "has_window", lambda: True)
    monkeypatch.setattr(desktop, "has_window", lambda: True)
    monkeypatch.setattr(browser, "SNAPS", tmp_path / "snaps")
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *a, **k: tmp_path / "cache")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    return addresses


def test_a_second_start_shows_the_panel_of_the_first(given: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        settings = PanelSettings(host="0.0.0.0", port=port)
        assert not desktop.show_running(settings)  # somebody else's: no file of ours leads there
        with opened(f"http://127.0.0.1:{port}/token/"):
            assert desktop.show_running(settings)
    assert len(given) == 2 and given[0] == given[1]


def test_a_panel_that_was_killed_is_none(given: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with opened(f"http://127.0.0.1:{port}/token/"):
        assert not desktop.show_running(PanelSettings(port=port))
    assert len(given) == 1


def test_what_goes_wrong_is_shown(given: list[str]) -> None:
    with pytest.raises(ConfigError), desktop.errors_shown():
        raise ConfigError("port 7664 is <in use>: stop it")
    text = Path(unquote(urlsplit(given[0]).path)).read_text(encoding="utf-8")
    assert "port 7664 is &lt;in use&gt;: stop it" in text


def test_a_terminal_shows_it_itself(given: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with pytest.raises(ConfigError), desktop.errors_shown():
        raise ConfigError("told in the terminal")
    assert given == []
