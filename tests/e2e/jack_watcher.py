"""A JACK client that watches the ports: ``python jack_watcher.py NAME``.

Each time they have changed, it writes ``ports`` and their full names as a line of JSON. It has no
ports and is never active, so the server's cycles do not know it: ``jack_lsp`` at such a pace,
a client that comes and goes each time, can hold the server up. It waits for a server, and ends with
it, with an empty list, or at SIGTERM.
"""

import json
import signal
import sys
import threading

import jack

LOOK_EVERY = 0.02  # seconds


def say(ports: list[str]) -> None:
    """Write a line that no message of JACK's, which goes to the same file, looks like."""
    print(f"\nports {json.dumps(ports)}", flush=True)


def watch(name: str) -> None:
    """Write the ports until SIGTERM or the server's end."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    jack.set_error_function(lambda _: None)  # there is no server yet
    jack.set_info_function(lambda _: None)
    client = None
    while client is None and not stop.wait(LOOK_EVERY):
        try:
            client = jack.Client(name, no_start_server=True)
        except jack.JackOpenError:
            continue
    if client is None:
        return
    has_gone = threading.Event()

    def shutdown(status: object, reason: str) -> None:
        has_gone.set()
        stop.set()

    client.set_shutdown_callback(shutdown)
    seen: list[str] | None = None
    while not stop.is_set():
        ports = [port.name for port in client.get_ports()]
        if ports != seen:
            say(ports)
            seen = ports
        stop.wait(LOOK_EVERY)
    if has_gone.is_set():
        say([])
    else:
        client.close()


if __name__ == "__main__":
    watch(sys.argv[1])
