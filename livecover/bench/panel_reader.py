"""A page of the panel in a process of its own: ``python -m livecover.bench.panel_reader URL``.

Says ``open`` once it is connected, reads all it is sent, and leaves when its standard input ends.
With ``--browser`` it is Chromium with the real page, else a client that reads, pings and turns a
control as a hand would.
"""

import contextlib
import itertools
import json
import sys
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

PING_EVERY = 0.5
"""Seconds between two messages of the client: a ping and a change of density."""


def main() -> int:
    """Run a page until the standard input ends."""
    url = sys.argv[1]
    with _browser(url) if "--browser" in sys.argv else _client(url):
        print("open", flush=True)
        sys.stdin.read()
    return 0


@contextlib.contextmanager
def _client(url: str) -> Iterator[None]:
    """Run a client that reads everything."""
    parts = urlsplit(url)
    origin = Origin(f"http://{parts.netloc}")
    address = f"ws://{parts.netloc}{parts.path}socket"
    with connect(address, origin=origin, compression=None, proxy=None) as socket:
        reader = threading.Thread(target=_read, args=(socket,), daemon=True)
        writer = threading.Thread(target=_write, args=(socket,), daemon=True)
        reader.start()
        writer.start()
        yield


def _read(socket: ClientConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        for frame in socket:
            json.loads(frame)


def _write(socket: ClientConnection) -> None:
    pause = threading.Event()
    with contextlib.suppress(ConnectionClosed):
        for n in itertools.count():
            density = {"decoder.density": 1.0 + 0.01 * (n % 2)}
            socket.send(json.dumps({"type": "ping", "id": n}))
            socket.send(json.dumps({"type": "change", "values": density}))
            pause.wait(PING_EVERY)


@contextlib.contextmanager
def _browser(url: str) -> Iterator[None]:
    """Run Chromium with the page, which reports when it drew a note."""
    from tests.e2e.browser import open_panel, running_browser

    with running_browser() as browser, open_panel(browser, url):
        yield


if __name__ == "__main__":
    sys.exit(main())
