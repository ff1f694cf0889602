"""Nobody but the panel's own page sees or drives it: tried with real requests.

A browser sets Host, Origin and Sec-Fetch-* itself; a page elsewhere cannot forge them, so what it
would cause is what these requests carry.
"""

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from livecover.panel.requests import BURST, MAX_STYLE_MESSAGE
from livecover.panel.web.address import make_token
from livecover.panel.web.security import REFUSED
from livecover.panel.web.server import PanelServer
from livecover.settings.panel import PanelSettings
from livecover.settings.sections import Settings
from tests.livecover.panel.fakes import Client, FakeInstrument

EVIL = "http://evil.example"


@pytest.fixture(scope="module")
def instrument() -> FakeInstrument:
    return FakeInstrument()


@pytest.fixture(scope="module")
def panel(instrument: FakeInstrument) -> Iterator[PanelServer]:
    """One panel for all: none of this should change it."""
    with PanelServer(instrument, PanelSettings(port=0)) as server:
        yield server
    assert instrument.asked == []


def get(url: str, method: str = "GET", **headers: str) -> httpx.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.request(method, url, headers=names, trust_env=False, verify=False)


def without_token(url: str) -> str:
    return url[: url.rstrip("/").rindex("/") + 1]


def refused(url: str, **options: Any) -> int:
    """The status with which a socket is refused."""
    with pytest.raises(InvalidStatus) as caught, Client(url, **options):
        pass
    return int(caught.value.response.status_code)


def test_the_page_has_headers_that_keep_it_to_itself(panel: PanelServer) -> None:
    answer = get(panel.url)
    host = httpx.URL(panel.url).netloc.decode()
    assert answer.status_code in (200, 404)  # 404 where the page is not built in
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert f"connect-src 'self' ws://{host};" in policy and "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy and answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"
    for name in ("set-cookie", "access-control-allow-origin", "server"):
        assert name not in answer.headers


def test_without_the_token_there_is_nothing(panel: PanelServer) -> None:
    base = without_token(panel.url)
    for url in (
        base,
        f"{base}{make_token()}/",
        f"{base}socket",
        panel.url.rstrip("/"),
        f"{base}é/",
    ):
        answer = get(url)
        assert answer.status_code == 403 and answer.text == REFUSED
        assert answer.headers["x-frame-options"] == "DENY"
    assert refused(base) == 403
    assert refused(f"{base}{make_token()}/") == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},  # DNS rebinding: its name, our address
        {"host": "evil.example:7664"},
        {"host": "127.0.0.1"},  # another server of this machine
        {"origin": EVIL},
        {"origin": "null"},
        {"origin": "http://localhost"},
        {"sec_fetch_site": "cross-site"},  # <script src>, <img>, fetch
        {"sec_fetch_site": "same-site", "sec_fetch_mode": "no-cors"},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe"},
    ],
)
def test_a_page_elsewhere_reads_nothing(panel: PanelServer, headers: dict[str, str]) -> None:
    assert get(panel.url, **headers).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "none", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"},
        {"sec_fetch_site": "same-origin", "sec_fetch_mode": "cors"},
        {
            "sec_fetch_site": "cross-site",
            "sec_fetch_mode": "navigate",
            "sec_fetch_dest": "document",
        },
    ],
)
def test_what_a_browser_says_of_our_own_page_is_well(
    panel: PanelServer, headers: dict[str, str]
) -> None:
    assert get(panel.url, **headers).status_code != 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_there_is_only_reading(panel: PanelServer, method: str) -> None:
    answer = get(panel.url, method)
    assert answer.status_code == 403
    assert not any(name.startswith("access-control") for name in answer.headers)


@pytest.mark.parametrize(
    "path",
    ["../server.py", "..%2fserver.py", "%2e%2e/server.py", "/etc/passwd", "%2fetc%2fpasswd", "x"],
)
def test_there_are_no_files_but_the_pages(panel: PanelServer, path: str) -> None:
    assert get(panel.url + path).status_code in (403, 404)


@pytest.mark.parametrize("origin", [EVIL, "null", "http://localhost", "https://127.0.0.1", None])
def test_a_socket_of_another_origin_is_refused(panel: PanelServer, origin: str | None) -> None:
    assert refused(panel.url, origin=origin) == 403


def test_a_socket_under_a_name_of_a_strangers_is_refused(panel: PanelServer) -> None:
    url = httpx.URL(panel.url)
    with socket.create_connection(("127.0.0.1", url.port or 0)) as sock:
        assert refused(str(url.copy_with(host="evil.example")), sock=sock) == 403


def test_localhost_is_a_name_of_ours(panel: PanelServer) -> None:
    url = httpx.URL(panel.url)
    with socket.create_connection(("127.0.0.1", url.port or 0)) as sock:
        with Client(str(url.copy_with(host="localhost")), sock=sock) as page:
            page.hear("hello")


def test_behind_a_wildcard_only_the_address_is_a_host(instrument: FakeInstrument) -> None:
    with PanelServer(instrument, PanelSettings(host="0.0.0.0", port=0)) as panel:
        assert get(panel.url).status_code != 403
        assert get(panel.url, host="evil.example").status_code == 403
        assert get(panel.url, host="192.0.2.7:80").status_code == 403


def test_a_flood_closes_the_connection(panel: PanelServer) -> None:
    with Client(panel.url) as page:
        with pytest.raises(ConnectionClosed) as caught:
            for k in range(4 * BURST):
                page.say(type="ping", id=k)
            while True:
                page.hear("none")
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1008 and caught.value.rcvd.reason == "too many messages"
    with Client(panel.url) as page:  # another one is served
        page.hear("hello")


def test_what_is_too_large_closes_the_connection(panel: PanelServer) -> None:
    with Client(panel.url) as page:
        page.say("x" * 10000)
        assert page.hear("error")["text"] == "a message must be a JSON object"
        with pytest.raises(ConnectionClosed) as caught:
            page.say("x" * (MAX_STYLE_MESSAGE + 1))
            while True:
                page.hear("none")
        assert caught.value.rcvd is not None and caught.value.rcvd.code == 1009


def test_a_page_cannot_name_files(panel: PanelServer, instrument: FakeInstrument) -> None:
    with Client(panel.url) as page:
        page.say(type="do", action="refresh")
        page.hear("choices")
        for key, value in [
            ("audio.input", "/etc/passwd"),
            ("audio.input", "song.wav"),
            ("midi.midi_out", ["LiveCover", "/tmp/take.mid"]),
            ("midi.midi_out", "take.mid"),
            ("model.model", "../../model.onnx"),
            ("model.style", "from:/etc/passwd"),
            ("log.level", "debug"),
            ("panel.host", "0.0.0.0"),
            ("record.folder", "/tmp"),
        ]:
            page.say(json.dumps({"type": "change", "values": {key: value}}))
            page.hear("error")
    assert instrument.settings == Settings()
