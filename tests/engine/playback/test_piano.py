"""The notes played here: at which sample, and what ends them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.core.errors import DeviceError
from engine.core.notes import NoteEvent, PedalEvent
from engine.core.settings import EngineSettings, PlaySettings
from engine.midi.messages import Message
from engine.playback import fluid
from engine.playback.fluid import GRID, FluidPiano
from engine.playback.piano import LATE_TOLERANCE, MAX_WAITING, Piano
from engine.playback.plugin import PluginPiano, load_plugin
from tests.e2e.servers import SOUNDFONT
from tests.messages import refused

RATE = 48000
BLOCK = 240
ON, OFF = NoteEvent(0.0, 60, 90), NoteEvent(0.5, 60, 0)
needs_soundfont = pytest.mark.skipif(not SOUNDFONT.exists(), reason="needs timgm6mb-soundfont")


class Ledger:
    """A synthesizer that notes at which sample each message came."""

    def __init__(self) -> None:
        self.n = 0
        self.messages: list[tuple[int, Message]] = []

    def render(self, n: int, messages: Sequence[tuple[int, Message]]) -> NDArray[np.float32]:
        self.messages += [(self.n + at, message) for at, message in messages]
        self.n += n
        return np.zeros((n, 2), np.float32)

    def close(self) -> None:
        pass


def played(piano: Piano, until: float, start: float = 0.0) -> None:
    for k in range(round(start * RATE / BLOCK), round(until * RATE / BLOCK)):
        piano.render(BLOCK, k * BLOCK / RATE)


def test_a_note_begins_and_ends_at_the_samples_heard_when_due() -> None:
    ledger = Ledger()
    piano = Piano(ledger, RATE)
    piano.found([ON, OFF], [0.1001, 0.2501])
    played(piano, 0.3)
    assert ledger.messages == [(4805, (0x90, 60, 90)), (12005, (0x80, 60, 0))]
    assert (piano.n_played, piano.n_late) == (1, 0)


def test_late_notes_are_played_at_once_or_not_at_all() -> None:
    ledger = Ledger()
    piano = Piano(ledger, RATE)
    played(piano, 0.2)
    late, too_late = replace(ON, pitch=61), replace(ON, pitch=62)
    piano.found([late, too_late], [0.2 - LATE_TOLERANCE / 2, 0.19 - LATE_TOLERANCE])
    played(piano, 0.21, start=0.2)
    assert ledger.messages == [(9600, (0x90, 61, 90))]
    assert (piano.n_late, piano.n_dropped) == (1, 1)
    assert piano.worst == pytest.approx(LATE_TOLERANCE / 2)


def test_silence_ends_what_sounds_and_forgets_what_was_to_come() -> None:
    ledger = Ledger()
    piano = Piano(ledger, RATE)
    piano.found([ON, PedalEvent(0.0, True)], [0.0, 0.0])
    played(piano, 0.1)
    piano.found([replace(ON, pitch=72)], [0.2])
    piano.silenced()
    ledger.messages.clear()
    played(piano, 0.3, start=0.1)
    assert ledger.messages[0] == (4800, (0x80, 60, 0))
    assert (4800, (0xB0, 64, 0)) in ledger.messages and (4800, (0xB0, 123, 0)) in ledger.messages
    assert not any(message[0] == 0x90 for _, message in ledger.messages)


def test_a_struck_key_ends_first_and_hold_keeps_the_pedal_down() -> None:
    ledger = Ledger()
    piano = Piano(ledger, RATE)
    piano.changed(EngineSettings(play=PlaySettings(hold=True)), 0.2)
    piano.found([ON, PedalEvent(0.0, True), PedalEvent(0.1, False), ON], [0.0, 0.0, 0.1, 0.1])
    played(piano, 0.2)
    kinds = [message for _, message in ledger.messages if message[0] & 0x0F == 0]
    assert kinds == [(0xB0, 64, 127), (0x90, 60, 90), (0x80, 60, 0), (0x90, 60, 90)]
    piano.changed(EngineSettings(), 0.2)
    played(piano, 0.21, start=0.2)
    assert ledger.messages[-16][1] == (0xB0, 64, 0)


def test_what_waits_has_a_bound_and_nothing_that_was_taken_lacks_its_end() -> None:
    ledger = Ledger()
    piano = Piano(ledger, RATE)
    n = 5 * MAX_WAITING
    for k in range(n):  # nobody renders: the output is lost
        key = NoteEvent(k, 21 + k % 88, 80, channel=1 + k % 3)
        down = PedalEvent(k, True, 1 + k % 16)
        piano.found([key, replace(key, velocity=0)], [0.01, 0.02])
        piano.found([down, replace(down, is_down=False)], [0.01, 0.02])
        piano.changed(EngineSettings(play=PlaySettings(hold=k % 2 == 0)), 0.2)
    assert len(piano._arrivals) <= 2 * MAX_WAITING and piano.n_dropped > n // 2
    played(piano, 0.05)
    kinds = [message[0] & 0xF0 for _, message in ledger.messages]
    assert kinds.count(0x90) == kinds.count(0x80) == n - piano.n_dropped
    for _ in range(n):
        piano.found([ON], [0.1])
        piano.silenced()
    assert len(piano._arrivals) == 1


def test_a_synth_that_was_closed_is_not_asked_again() -> None:
    ledger = Ledger()
    piano = Piano(ledger, RATE)
    played(piano, 0.01)
    piano.shut_down()
    n = ledger.n
    assert not piano.render(BLOCK, 0.0).any() and ledger.n == n


@needs_soundfont
def test_fluidsynth_begins_a_note_within_half_its_grid() -> None:
    places = []
    for at in (1000, 1030, 1056):
        synth = FluidPiano(SOUNDFONT, RATE)
        first = synth.render(500, [])
        assert np.abs(first).max() < 1e-6  # its dither
        sound = synth.render(4000, [(at - 500, (0x90, 60, 100)), (3000, (0x80, 60, 0))])
        assert np.abs(sound).max() > 1e-3
        places.append(500 + int(np.flatnonzero(np.abs(sound[:, 0]) > 1e-5)[0]))
        synth.close()
        synth.close()
    starts = [(at + GRID // 2) // GRID * GRID for at in (1000, 1030, 1056)]
    attack = places[0] - starts[0]  # the SoundFont's own
    assert 0 <= attack < 4 * GRID
    assert places == [start + attack for start in starts]


@needs_soundfont
def test_what_is_played_does_not_depend_on_the_blocks() -> None:
    messages: list[tuple[int, Message]] = [(700, (0x90, 48, 90)), (5000, (0x80, 48, 0))]
    one = FluidPiano(SOUNDFONT, RATE)
    whole = one.render(9600, messages)
    other = FluidPiano(SOUNDFONT, RATE)
    parts = []
    for start in range(0, 9600, BLOCK):
        own = [(at - start, m) for at, m in messages if start <= at < start + BLOCK]
        parts.append(other.render(BLOCK, own))
    one.close()
    other.close()
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-6)


def test_what_is_no_soundfont_is_named(tmp_path: Path) -> None:
    with refused(DeviceError, "cannot be read", "--soundfont"):
        FluidPiano(tmp_path / "none.sf2", RATE)
    (tmp_path / "song.sf2").write_bytes(b"x" * 20)
    with refused(DeviceError, "not a SoundFont", ".sf2", ".sf3"):
        FluidPiano(tmp_path / "song.sf2", RATE)
    (tmp_path / "head.sf2").write_bytes(b"RIFF\0\0\0\0sfbk" + bytes(50))
    if SOUNDFONT.exists():
        with refused(DeviceError, "FluidSynth", "SoundFont"):
            FluidPiano(tmp_path / "head.sf2", RATE)


def test_without_fluidsynth_it_is_said_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fluid, "_NAMES", ("nothing.so",))
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    fluid._library.cache_clear()
    with refused(DeviceError, "needs FluidSynth", "install"):
        fluid._library()
    fluid._library.cache_clear()


def test_a_plugin_is_given_seconds_and_gives_channels_first() -> None:
    heard = []

    class Plugin:
        def __call__(self, messages: object, **more: object) -> NDArray[np.float32]:
            heard.append((messages, more))
            return np.ones((2, BLOCK - 1), np.float32)

    block = PluginPiano(Plugin(), RATE, gain=0.5).render(BLOCK, [(24, (0x90, 60, 90))])
    assert block.shape == (BLOCK, 2) and block[0, 0] == 0.5 and not block[-1].any()
    messages, more = heard[0]
    assert messages == [(bytes((0x90, 60, 90)), 24 / RATE)]
    assert more["reset"] is False and more["duration"] == BLOCK / RATE


def test_what_is_no_plugin_is_named(tmp_path: Path) -> None:
    pytest.importorskip("pedalboard")
    with refused(DeviceError, "not a plugin"):
        load_plugin(tmp_path / "none.vst3")
