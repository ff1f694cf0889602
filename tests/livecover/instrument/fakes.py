"""A recorder without takes."""

from livecover.instrument.recording import NoRecorder


class FakeRecorder(NoRecorder):
    """Records nothing, and does as if; a test may set its fault."""

    def record(self, is_on: bool) -> None:
        self.is_recording = is_on
