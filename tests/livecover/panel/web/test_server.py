"""The panel's server: where it listens, what it says of it, and how it ends."""

import contextlib
import logging
import socket
from collections.abc import Iterator

import httpx
import pytest

from engine.core.errors import ConfigError
from livecover.panel.web import connections, server, sessions
from livecover.panel.web.server import PanelServer
from livecover.settings.panel import PanelSettings
from tests.livecover.panel.fakes import TIMEOUT, Client, FakeInstrument


def test_too_many_pages_are_turned_away(
    panel: PanelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MAX_PAGES", 1)
    with Client(panel.url) as page, Client(panel.url) as other:
        page.hear("hello")
        with pytest.raises(Exception, match="1013.*pages are open already"):
            other.hear("hello")


def test_stop_says_goodbye_and_frees_the_port(instrument: FakeInstrument) -> None:
    with PanelServer(instrument, PanelSettings(port=0)) as panel:
        port = httpx.URL(panel.url).port
        with Client(panel.url) as page:
            page.hear("hello")
            panel.stop()
            with pytest.raises(Exception, match="1012"):
                page.hear("never")
    assert instrument.taps == []
    panel.stop()  # a second time
    assert port is not None
    server.listen(PanelSettings(port=port)).close()


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"^port {port} is in use, perhaps by another livec"):
            server.listen(PanelSettings(port=port))


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("no.such.host.invalid", "expected an address of this machine"),
        ("192.0.2.1", "cannot listen"),
    ],
)
def test_a_host_that_is_not_ours(host: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        server.listen(PanelSettings(host=host, port=0))


def test_another_host_than_loopback_is_warned_of(
    instrument: FakeInstrument, caplog: pytest.LogCaptureFixture
) -> None:
    with PanelServer(instrument, PanelSettings(host="0.0.0.0", port=0)) as panel:
        assert panel.url.startswith("http://127.0.0.1:")
        with Client(panel.url) as page:
            page.hear("hello")
    assert "panel.host 0.0.0.0 opens the panel to the network" in caplog.text
    assert all(record.levelno >= logging.WARNING for record in caplog.records)


def test_the_token_is_not_logged(
    instrument: FakeInstrument, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), PanelServer(instrument, PanelSettings(port=0)) as panel:
        httpx.get(panel.url, verify=False)
        with Client(panel.url, logger=logging.getLogger("test client")) as page:
            page.hear("hello")
    ours = [
        r
        for r in caplog.records
        if r.name.partition(".")[0] not in ("test client", "httpx", "httpcore")
    ]
    assert httpx.URL(panel.url).path.strip("/") not in "".join(r.getMessage() for r in ours)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"host": ""}, "panel.host must be text that is not empty"),
        ({"port": 70000}, "panel.port must be a whole number from 0 to 65535, not 70000"),
        ({"port": True}, "panel.port must be a whole number"),
        ({"enabled": 1}, "panel.enabled must be true or false, not 1"),
        ({"open_browser": "no"}, "panel.open_browser must be true or false, not 'no'"),
    ],
)
def test_wrong_settings(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PanelSettings(**values)  # type: ignore[arg-type]


@contextlib.contextmanager
def opened(panel: PanelServer, n: int) -> Iterator[list[socket.socket]]:
    """Yield ``n`` connections that have said nothing."""
    address = ("127.0.0.1", httpx.URL(panel.url).port or 0)
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(address, TIMEOUT)) for _ in range(n)]


def is_closed(connection: socket.socket) -> bool:
    """Wait for the server's end of it."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def get(panel: PanelServer, token: str = "") -> httpx.Response:
    url = httpx.URL(panel.url)
    return httpx.get(url.copy_with(path=token) if token else url, trust_env=False, timeout=TIMEOUT)


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: a\r\n", b"\x16\x03\x01"])
def test_who_says_nothing_keeps_nobody_out(
    panel: PanelServer, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MAX_PENDING", 60)
    with opened(panel, 80) as silent:
        for connection in silent[20:]:
            with contextlib.suppress(OSError):
                connection.sendall(said)
        assert get(panel).status_code == 200
        with Client(panel.url) as page:
            page.hear("hello")
            assert is_closed(silent[0])


def test_who_has_not_asked_in_time_is_closed(
    instrument: FakeInstrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MAX_PENDING_S", 0.1)
    with PanelServer(instrument, PanelSettings(port=0)) as panel:
        with Client(panel.url) as page, opened(panel, 2) as (silent, slow):
            slow.send(b"G")
            page.hear("hello")
            assert is_closed(silent)
            assert is_closed(slow)
            page.say(type="ping", id=1)  # whoever has the token stays
            assert page.hear("pong")["id"] == 1


def test_who_is_refused_is_closed(panel: PanelServer) -> None:
    with opened(panel, 1) as (connection,):
        connection.sendall(b"GET /guess/ HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = b""
        while part := connection.recv(4096):
            answer += part
    assert answer.startswith(b"HTTP/1.1 403 ") and b"\r\nconnection: close\r\n" in answer


def test_nonsense_does_not_fill_the_log(
    panel: PanelServer, caplog: pytest.LogCaptureFixture
) -> None:
    for nonsense in (b"\x16\x03\x01\r\n\r\n", b"GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n"):
        with opened(panel, 1) as (connection,):
            connection.sendall(nonsense)
            while connection.recv(4096):
                pass
    assert caplog.records == []


def test_a_page_keeps_its_connection(panel: PanelServer) -> None:
    with httpx.Client(trust_env=False) as client:
        for name in ("", "js/main.js", "css/tokens.css"):
            answer = client.get(panel.url + name)
            assert answer.status_code == 200 and "connection" not in answer.headers
