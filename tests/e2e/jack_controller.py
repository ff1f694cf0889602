"""A JACK client that plays a controller: ``python jack_controller.py NAME``.

Its port is ``NAME:midi``. Each line of stdin is a JSON list of [seconds from now, bytes], sent at
these moments (within a cycle). The end of stdin is its own.
"""

import heapq
import itertools
import json
import queue
import sys
import time

import jack

Waiting = tuple[float, int, list[int]]


def main(name: str) -> None:
    """Send what stdin says."""
    client = jack.Client(name, no_start_server=True)
    port = client.midi_outports.register("midi")
    asked: queue.SimpleQueue[Waiting] = queue.SimpleQueue()
    waiting: list[Waiting] = []
    serial = itertools.count()

    def process(n: int) -> None:
        now = time.perf_counter()
        while not asked.empty():
            heapq.heappush(waiting, asked.get())
        port.clear_buffer()
        while waiting and waiting[0][0] <= now:
            port.write_midi_event(0, heapq.heappop(waiting)[2])

    client.set_process_callback(process)
    client.activate()
    for line in sys.stdin:
        now = time.perf_counter()
        for seconds, data in json.loads(line):
            asked.put((now + seconds, next(serial), data))
    client.deactivate()
    client.close()


if __name__ == "__main__":
    main(sys.argv[1])
