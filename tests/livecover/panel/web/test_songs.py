"""Songs that a page hands over."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from livecover.instrument.instrument import Instrument
from livecover.panel.web import songs
from livecover.panel.web.server import PanelServer
from livecover.settings.scene_file import scene_path
from tests.engine.audio.files.sounds import written
from tests.livecover.panel.fakes import FakeInstrument
from tests.messages import says


@pytest.fixture
def page(panel: PanelServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=panel.url, trust_env=False, timeout=60) as client:
        yield client


def test_a_song_becomes_the_input(
    page: httpx.Client, instrument: FakeInstrument, tmp_path: Path
) -> None:
    data = written(tmp_path / "a.flac").read_bytes()
    assert page.put("songs/My%20song.flac", content=data).status_code == 200
    path = Path(instrument.settings.audio.input)
    assert path.name == "My song.flac" and path.read_bytes() == data


def test_what_is_no_song_is_refused_and_not_kept(
    page: httpx.Client, instrument: FakeInstrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = instrument.settings.audio.input
    answer = page.put("songs/page.mp3", content=b"<!DOCTYPE html><html>" * 99)
    assert answer.status_code == 400
    says(answer.text, "page.mp3", "a web page")
    monkeypatch.setattr(songs, "MAX_SONG", 1000)
    answer = page.put("songs/long.wav", content=bytes(2000))
    assert answer.status_code == 400
    says(answer.text, "a song may have", "long.wav")
    assert instrument.settings.audio.input == before
    assert not [*songs._folder().rglob("page.mp3"), *songs._folder().rglob("long.wav")]


@pytest.mark.parametrize("name", ["..", "%2e%2e%2f%2e%2e%2fpasswd", "a%00b.wav", "%2Fetc%2Fpasswd"])
def test_a_name_leads_nowhere_else(page: httpx.Client, name: str, tmp_path: Path) -> None:
    data = written(tmp_path / "a.wav").read_bytes()
    before = {path for path in songs._folder().rglob("*") if path.is_file()}
    page.put(f"songs/{name}", content=data)
    new = {path for path in songs._folder().rglob("*") if path.is_file()} - before
    assert all(path.resolve().is_relative_to(songs._folder().resolve()) for path in new)


def test_only_the_page_hands_over_songs(page: httpx.Client) -> None:
    evil = {"Origin": "http://evil.example"}
    assert page.put("songs/a.wav", content=b"x", headers=evil).status_code == 403
    assert page.put("api", content=b"x").status_code == 403


def test_a_song_is_saved_neither_in_the_settings_nor_in_a_scene(
    page: httpx.Client, panel: PanelServer, instrument: FakeInstrument, tmp_path: Path
) -> None:
    """The former input stays, however the song comes to be the input again."""
    instrument.change({"audio.input": "mic"})
    page.put("songs/a.wav", content=written(tmp_path / "a.wav").read_bytes())
    song = instrument.settings.audio.input
    for values in ({"midi.transpose": 1}, {"audio.input": "mic"}, {"audio.input": song}):
        page.post("api", json={"type": "change", "values": values})
    assert instrument.settings.audio.input == song
    _, lines = Instrument.unsaved(instrument)
    assert {line.name: line.after for line in lines} == {
        "audio.input": '"mic"',
        "midi.transpose": "1",
    }
    instrument.scenes.keep("Verse")
    assert "a.wav" not in (scene_path() or tmp_path).read_text()
    assert page.post("api", json={"type": "do", "action": "unsaved"}).json()["has_song"]
    instrument.change({"audio.input": "mic"})
    assert not page.post("api", json={"type": "do", "action": "unsaved"}).json()["has_song"]
    assert instrument.scenes.changes("Verse") == {}  # the input stays as it is
