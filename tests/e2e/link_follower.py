"""Follows a session of Ableton Link, and prints what it has: one line of JSON a look, until killed.

A program of its own: a peer as any other. ``at`` is this machine's monotonic clock in seconds,
``position`` the beat in a bar of four.
"""

import json
import time

LOOK_S = 0.05


def main() -> None:
    """Follow until killed."""
    import link

    peer = link.Link(90.0)
    peer.startStopSyncEnabled = True
    peer.enabled = True
    while True:
        state = peer.captureSessionState()
        at = peer.clock().micros()
        look = {
            "at": time.perf_counter(),
            "peers": peer.numPeers(),
            "bpm": state.tempo(),
            "position": state.phaseAtTime(at, 4.0),
            "playing": state.isPlaying(),
        }
        print(json.dumps(look), flush=True)
        time.sleep(LOOK_S)


if __name__ == "__main__":
    main()
