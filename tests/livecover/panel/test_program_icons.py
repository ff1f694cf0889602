"""Icons of programs: found by name in themes and menu entries, and served by the panel."""

import os
from pathlib import Path

import httpx
import pytest

from engine.audio.loopback.players import Player
from livecover.panel import choices
from livecover.panel.program_icons import MAX_ICON, find_icon, read_icon
from livecover.panel.web.server import PanelServer
from tests.livecover.panel.fakes import Client

PNG = b"\x89PNG\r\n\x1a\n and so on"
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A desktop's shared data, in which there is nothing yet."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path / "shared"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "shared"


def put(path: Path, content: bytes | str = PNG) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_the_nearest_size_of_the_first_name_is_taken(data: Path) -> None:
    theme = data / "icons" / "hicolor"
    for size in ("16x16", "256x256", "64x64", "22x22@2"):
        put(theme / size / "apps" / "player.png")
    put(theme / "scalable" / "apps" / "other.svg", SVG)
    put(theme / "symbolic" / "apps" / "player.svg", SVG)
    assert find_icon(["none", "Player", "other"]) == theme / "64x64" / "apps" / "player.png"
    vector = put(theme / "scalable" / "apps" / "player.svg", SVG)
    assert find_icon(["player"]) == vector
    assert find_icon(["nothing"]) is None


@pytest.mark.parametrize("settings", ["gtk-3.0/settings.ini", "gtk-4.0/settings.ini", "kdeglobals"])
def test_the_users_theme_comes_first(settings: str, data: Path, tmp_path: Path) -> None:
    put(data / "icons" / "hicolor" / "48x48" / "apps" / "player.png")
    plain = put(data / "pixmaps" / "old.png")
    mine = put(tmp_path / "own" / "icons" / "Mine" / "apps" / "48" / "player.svg", SVG)
    put(tmp_path / "config" / settings, "[Settings]\ngtk-icon-theme-name=Mine\n[Icons]\nTheme=Mine")
    assert find_icon(["player"]) == mine
    assert find_icon(["old"]) == plain


@pytest.mark.parametrize("name", ["org.example.Player", "player-bin", "My Player", "WmPlayer"])
def test_a_menu_entry_names_the_icon(name: str, data: Path) -> None:
    put(data / "applications" / "broken.desktop", b"\xff\xfe no section")
    put(
        data / "applications" / "org.example.Player.desktop",
        "[Desktop Entry]\nName=My Player\nExec=env A=1 /opt/x/player-bin %U\nIcon=the-icon\n"
        "StartupWMClass=wmplayer\n[Desktop Action new]\nName=%s\n",
    )
    icon = put(data / "icons" / "hicolor" / "48x48" / "apps" / "the-icon.png")
    assert find_icon([name]) == icon


def test_a_menu_entry_may_name_a_file(data: Path, tmp_path: Path) -> None:
    icon = put(tmp_path / "opt" / "icon.png")
    put(data / "applications" / "player.desktop", f"[Desktop Entry]\nIcon={icon}\n")
    assert find_icon(["player"]) == icon
    put(data / "applications" / "player.desktop", "[Desktop Entry]\nIcon=/etc/passwd\n")
    assert find_icon(["player"]) is None


@pytest.mark.parametrize("name", ["../secret", "/etc/icon", "..", ".hidden", "a*", "[a]", "", "?"])
def test_a_programs_name_is_never_a_path(name: str, data: Path, tmp_path: Path) -> None:
    theme = data / "icons" / "hicolor" / "48x48"
    put(theme / "secret.png")
    put(theme / "apps" / ".hidden.png")
    put(theme / "apps" / "ab.png")
    put(theme / "apps" / "a.png")
    assert find_icon([name]) is None


def test_only_pictures_of_a_fair_size_are_read(tmp_path: Path) -> None:
    assert read_icon(put(tmp_path / "a.png")) == (PNG, "image/png")
    assert read_icon(put(tmp_path / "a.svg", SVG)) == (SVG, "image/svg+xml")
    assert read_icon(put(tmp_path / "b.png", "a secret")) is None
    assert read_icon(put(tmp_path / "b.svg", "<html>")) is None
    assert read_icon(put(tmp_path / "c.png", PNG + bytes(MAX_ICON))) is None
    assert read_icon(tmp_path / "none.png") is None


def test_the_panel_serves_the_icons_of_what_plays(
    panel: PanelServer, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(data / "icons" / "hicolor" / "48x48" / "apps" / "odd.png")
    players = [Player("Odd/Näme ?", ("odd",)), Player("Plain"), Player("Etc", ("../../etc",))]
    monkeypatch.setattr(choices, "list_players", lambda: players)
    with Client(panel.url) as page:
        told = page.hear("choices")["choices"]
    assert told["icons"] == ["Odd/Näme ?"]
    found = httpx.get(f"{panel.url}icons/Odd%2FN%C3%A4me%20%3F")
    assert (found.status_code, found.content) == (200, PNG)
    assert found.headers["content-type"] == "image/png"
    assert found.headers["content-security-policy"].startswith("default-src 'none'")
    for name in ("Plain", "Etc", "odd", "..%2f..%2fodd.png", ""):
        assert httpx.get(f"{panel.url}icons/{name}").status_code == 404
    without = panel.url.rstrip("/").rpartition("/")[0]
    assert httpx.get(f"{without}/icons/Odd%2FN%C3%A4me%20%3F").status_code == 403
    os.unlink(data / "icons" / "hicolor" / "48x48" / "apps" / "odd.png")
    assert httpx.get(f"{panel.url}icons/Odd%2FN%C3%A4me%20%3F").status_code == 404
