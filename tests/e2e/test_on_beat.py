"""A cover on the beat on real servers: a band plays; the accompaniment falls on its sixteenths."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from engine.core.tempo import BeatState
from livecover import examples
from livecover.bench.accompany import beats_of, sixteenths
from tests.e2e import songs, takes
from tests.e2e.chain import Chain, Tap, place_of
from tests.e2e.jack_server import JACK_PERIOD
from tests.e2e.processes import SAMPLE_RATE
from tests.livecover.panel.fakes import Client

pytestmark = pytest.mark.e2e

Times = NDArray[np.float64]

PANEL = ("--panel", "--panel-port", "0", "--no-open-browser")
MELODY = 1  # the channel, counted from 0, of ``--melody-channel 2``
LOCKED_S = 14.0  # of the song, at the latest
FREE_S, BEAT_S, DOUBLE_S, HALVE_S = 24.0, 29.0, 34.0, 39.0  # of the song: what is changed there
CYCLE_S = JACK_PERIOD / SAMPLE_RATE
ENTRY_S = 2.5  # a bar, after which the accompanist has entered


@dataclass(frozen=True)
class Accompaniment:
    """When its notes came to the port, and where the file of notes has them: (n,) seconds each."""

    port: Times
    file: Times

    def between(self, begin: float, end: float) -> "Accompaniment":
        """Return the notes that came to the port from ``begin`` to ``end``."""
        is_there = (begin <= self.port) & (self.port < end)
        return Accompaniment(self.port[is_there], self.file[is_there])


def accompaniment_of(port: Sequence[takes.Message], file: Path) -> Accompaniment:
    """Return the accompaniment's notes; both have the same, of each pitch in the same order."""
    found = []
    for messages in (port, takes.read_midi_file(file)):
        notes = [m for m in takes.ons(messages) if m.channel != MELODY]
        found.append(sorted(notes, key=lambda m: m.pitch))
    assert [m.pitch for m in found[0]] == [m.pitch for m in found[1]]
    return Accompaniment(*(np.array([m.time for m in notes]) for notes in found))


def off_the_grid(times: Times, grid: Times) -> Times:
    """Return how much later than the nearest of a grid each time is."""
    late = times[:, None] - grid
    nearest = np.abs(late).argmin(1)
    return np.asarray(late[np.arange(len(late)), nearest])


class Performer:
    """Watches the song from the panel, and changes what is to be changed when its time has come."""

    def __init__(self, page: Client, start: float) -> None:
        self._page, self._start = page, start
        self.locked_at: float | None = None

    def wait_until(self, moment: float) -> None:
        """Read what the panel is told up to a second of the song."""
        while (status := self._page.hear("status"))["now"] < self._start + moment:
            if self.locked_at is None and status["beat"]["state"] == BeatState.LOCKED.value:
                self.locked_at = status["now"]


def test_a_band_is_covered_on_its_beat(chain: Chain) -> None:
    # a busy machine is late, and plays all the same
    (chain.work / "livecover.toml").write_text("[time]\nlate_tolerance = 5.0\nbacklog = 30.0\n")
    song = songs.whole_example(chain.work / "song.wav")
    options = ("--melody-channel", "2", "--record", "takes")
    tap = Tap(chain.pulse)
    with chain.livecover(*PANEL, *options) as livecover:
        (url,) = re.findall(r"panel at (http://\S+/)", livecover.text())
        with Client(url) as page, chain.pulse.playing(song.path) as player:
            began = time.perf_counter()
            performer = Performer(page, began)
            performer.wait_until(FREE_S)
            page.say(type="change", values={"play.rhythm": "free"})
            performer.wait_until(BEAT_S)
            page.say(type="change", values={"play.rhythm": "beat"})
            performer.wait_until(DOUBLE_S)
            page.say(type="beat", correction="double", at=None)
            performer.wait_until(HALVE_S)
            page.say(type="beat", correction="halve", at=None)
            assert player.wait(song.duration + 30) == 0, player.tail()
        started = tap.start_of(song)
        tap.close()
        assert livecover.stop(timeout=60) == 0, livecover.tail()
    latency = re.findall(r"latency (\d+) ms", livecover.text())[0]
    played = chain.recorder.messages()
    assert takes.has_pairs_only(played)
    (take,) = (chain.work / "takes").glob("*.mid")
    notes = accompaniment_of(played, take)
    locked = performer.locked_at
    assert locked is not None and locked < began + LOCKED_S, livecover.tail()
    assert len(notes.between(0.0, locked).port)  # what was heard, before there was a beat
    for begin, end in ((FREE_S, BEAT_S), (DOUBLE_S, HALVE_S), (HALVE_S, song.duration)):
        assert len(notes.between(began + begin, began + end).port), (begin, livecover.tail())

    if "\n0 overruns, 0 frames skipped" not in livecover.text():
        return  # the machine had no time for some of the sound: the take's time is not the song's
    heard = soundfile.read(take.with_suffix(".flac"), dtype="float32", always_2d=True)[0].mean(1)
    first = place_of(song, heard) / SAMPLE_RATE  # of the song, in the take
    beats = beats_of(examples.path(), None)
    late = off_the_grid(
        notes.between(locked + ENTRY_S, began + FREE_S).file - first, sixteenths(beats)
    )
    assert len(late) >= 20, livecover.tail()
    assert abs(np.median(late)) <= 0.012, late
    assert np.quantile(np.abs(late - np.median(late)), 0.9) <= 0.04, late
    # JACK hands notes on up to half a cycle sooner or later than the latency has it, a busy machine
    # later still.
    lag = notes.port - notes.file - (started - first) - float(latency) / 1000
    assert lag.min() >= -CYCLE_S / 2 - 0.015, livecover.tail()
    if " 0 late, 0 dropped" in livecover.text().splitlines()[-2]:
        assert np.median(lag) <= CYCLE_S / 2 + 0.015, lag
