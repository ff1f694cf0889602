"""The HTTP interface for scripts, behind the same token."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from livecover.panel.web.server import PanelServer
from tests.livecover.panel.fakes import FakeInstrument
from tests.livecover.takes.test_listing import a_take


@pytest.fixture
def api(panel: PanelServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=panel.url, trust_env=False, timeout=60) as client:
        yield client


def post(api: httpx.Client, **message: Any) -> tuple[int, dict[str, Any]]:
    answer = api.post("api", content=json.dumps(message))
    return answer.status_code, answer.json()


def test_state_and_settings_are_told(api: httpx.Client, instrument: FakeInstrument) -> None:
    assert api.get("api/status").json()["playing"] is False
    instrument.start()
    status = api.get("api/status").json()
    assert status["playing"] is True and status["source"] == "Speakers"
    assert api.get("api/settings").json()["model"]["model"] == "live"


def test_commands_are_those_of_a_page(api: httpx.Client, instrument: FakeInstrument) -> None:
    assert post(api, type="do", action="start") == (200, {"type": "done"})
    assert post(api, type="change", values={"midi.octave": 1})[0] == 200
    assert instrument.is_playing and instrument.settings.midi.octave == 1
    code, answer = post(api, type="change", values={"record.folder": "/tmp"})
    assert code == 400 and "may not change" in answer["error"]
    code, answer = post(api, type="do", action="delete_take", key="../x")
    assert code == 400 and "no take" in answer["error"]
    assert api.post("api", content="x" * 500_000).status_code == 400


def test_only_commands_are_posted_and_only_with_the_token(
    api: httpx.Client, panel: PanelServer
) -> None:
    assert api.post("api/status").status_code == 403
    assert api.put("api", content="{}").status_code == 403
    assert api.post("api", headers={"Origin": "http://evil.example"}).status_code == 403
    host = panel.url.split("/")[2]
    wrong = httpx.post(f"http://{host}/{'x' * 32}/api", content="{}", trust_env=False)
    assert wrong.status_code == 403


def test_a_takes_files_are_served_and_no_others(
    api: httpx.Client, instrument: FakeInstrument, tmp_path: Path
) -> None:
    instrument.change({"record.folder": str(tmp_path)})
    a_take(tmp_path, "x Take 1", ".mid", " mix.flac")
    sound = api.get("takes/x%20Take%201/mix", headers={"Range": "bytes=0-0"})
    assert (sound.status_code, sound.content) == (206, b"x")
    assert sound.headers["Content-Type"] == "audio/flac"
    for path in ("takes/x%20Take%201/song", "takes/none/mix", "takes/..%2Fx/mix"):
        assert api.get(path).status_code == 404
    assert api.get("qr.svg").headers["Content-Type"] == "image/svg+xml"
