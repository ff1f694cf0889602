"""Loopback on Windows: WASAPI's, through SoundCard.

SoundCard and PyAudioWPatch both offer it. SoundCard was chosen: it is pure Python (any Python, any
processor), and where an idle output gives no data at all it gives the zeros that time took, so the
stream keeps its time in silence; PyAudioWPatch blocks until something plays.
Interface: SoundCard 0.4.6, ``mediafoundation.py``.
"""

import logging
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from engine.audio.devices.channels import ChannelPick
from engine.audio.devices.source import (
    InputInfo,
    LiveFeed,
    LiveSource,
    ThreadedSource,
)
from engine.core.errors import DeviceError
from engine.signal.clock import StreamClock
from engine.signal.rings import SampleRing
from engine.system.extras import install

DEFAULT_SAMPLE_RATE = 48000  # Windows' own default; WASAPI converts what differs
CHECK_EVERY = 1.0  # seconds between two looks at the default output
OPEN_TIMEOUT = 3.0  # seconds

_log = logging.getLogger(__name__)


def _soundcard() -> Any:
    """Return the module. Raises DeviceError where it is missing."""
    try:
        import soundcard
    except (ImportError, OSError, RuntimeError) as error:
        raise DeviceError(
            f"loopback on Windows needs SoundCard ({error}); type: {install(['soundcard'])}; or"
            " give --input a device or a file"
        ) from error
    # SoundCard shows this one always, on stderr, in the middle of the status line.
    warnings.filterwarnings("ignore", message="data discontinuity in recording")
    return soundcard


def _default_speaker(soundcard: Any) -> Any:
    """Return the default output. Raises DeviceError if there is none."""
    try:
        return soundcard.default_speaker()
    except RuntimeError as error:
        raise DeviceError(
            f"Windows has no default output to listen to ({error}); choose one in Settings, Sound"
        ) from error


def list_speakers() -> list[InputInfo]:
    """Return the default output as loopback. Raises DeviceError as ``WasapiLoopback``."""
    speaker = _default_speaker(_soundcard())
    name = f"Loopback of {speaker.name}"
    return [InputInfo(None, name, speaker.channels, DEFAULT_SAMPLE_RATE, True, "loopback")]


class WasapiLoopback(LiveSource, ThreadedSource):
    """What the default output plays, as a source; lost, so that it is reopened, when that changes.

    Parameters
    ----------
    block_size
        Samples asked of WASAPI; it gives what it has.
    sample_rate
        Hertz; None is 48 kHz.
    now
        Clock in seconds.
    channels
        Those that are heard, from 1; None is the first two.

    Raises
    ------
    DeviceError
        SoundCard is missing, or there is no output, or no such channel.
    """

    join_timeout = 0.5

    def __init__(
        self,
        block_size: int = 256,
        sample_rate: int | None = None,
        now: Callable[[], float] = time.perf_counter,
        channels: Sequence[int] | None = None,
    ) -> None:
        self._soundcard = _soundcard()
        speaker = _default_speaker(self._soundcard)
        self.name: str = f"Loopback of {speaker.name}"
        self._pick = ChannelPick(channels, speaker.channels, self.name)
        self.n_channels = self._pick.n_picked
        self._n_opened = speaker.channels if channels else self._pick.n_opened
        self.sample_rate = sample_rate or DEFAULT_SAMPLE_RATE
        self.block_size = block_size
        self.latency = 2 * block_size / self.sample_rate  # until the device gives its period
        self._now = now
        super().__init__()
        self._feed: LiveFeed | None = None

    def start(self, ring: SampleRing, clock: StreamClock) -> None:
        """Open the loopback of what is now the default output. Raises DeviceError."""
        self.stop()
        speaker = _default_speaker(self._soundcard)
        try:
            microphone = self._soundcard.get_microphone(speaker.id, include_loopback=True)
            recorder = microphone.recorder(
                samplerate=self.sample_rate, channels=self._n_opened, blocksize=self.block_size
            )
        except (RuntimeError, IndexError) as error:
            raise DeviceError(
                f"{self.name} cannot be opened ({error}); is it still there?"
            ) from error
        self.name = f"Loopback of {speaker.name}"
        stop, feed = threading.Event(), LiveFeed(ring, clock, self._now, self._pick)
        self._stop, self._feed = stop, feed
        opening: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._read,
            args=(recorder, speaker.id, feed, stop, opening),
            name="wasapi",
            daemon=True,
        )
        self._thread.start()
        try:
            opening.result(OPEN_TIMEOUT)
        except (RuntimeError, TimeoutError) as error:
            self.stop()
            why = str(error) or f"no answer within {OPEN_TIMEOUT:g} s"
            raise DeviceError(
                f"{self.name} cannot be opened ({why}); is it still there?"
            ) from error

    def _read(
        self,
        recorder: Any,
        speaker_id: str,
        feed: LiveFeed,
        stop: threading.Event,
        opening: "Future[None]",
    ) -> None:
        """Hand every block to ``feed`` until ``stop``, an error, or another default output."""
        try:
            with recorder as stream:
                self.latency = stream.deviceperiod[0] + self.block_size / self.sample_rate
                opening.set_result(None)
                check_at = self._now() + CHECK_EVERY
                while not stop.is_set():
                    block = stream.record(numframes=None)  # sleeps until there is some
                    if len(block) and not stop.is_set():
                        feed.push(block)
                    if self._now() >= check_at:
                        check_at = self._now() + CHECK_EVERY
                        default = self._soundcard.default_speaker()
                        if default.id != speaker_id:
                            feed.fail(f"{self.name}: the default output is now {default.name}")
                            return
        except RuntimeError as error:  # SoundCard's for every failed call to WASAPI
            feed.fail(f"{self.name}: the device was lost ({error})")
            if not opening.done():
                opening.set_exception(error)

    def is_alive(self) -> bool:
        """True while blocks come."""
        if self._feed is None or self._stop.is_set():
            return False
        return self._feed.is_alive(self.name)
