"""Ports for controllers on a fake RtMidi, and the command that learns at them."""

import threading
from collections.abc import Callable, Sequence

import pytest
import rtmidi
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import ConfigError, MidiError
from engine.midi.ports.names import find_port
from livecover.control.learning import learn, line_of
from livecover.control.ports import ControlPort, Message, MessageTimestamps
from livecover.settings.sections import Settings, with_values


class FakeClient:
    """Input and output at once."""

    def __init__(self, ports: Sequence[str] = (), has_virtual: bool = True) -> None:
        self.ports, self.has_virtual = list(ports), has_virtual
        self.opened: list[str] = []
        self.sent: list[Sequence[int]] = []
        self.ignored: tuple[bool, ...] = ()
        self.is_deleted = False
        self.has_server = True
        self.waiting: list[tuple[list[int], float]] = []

    def get_ports(self) -> list[str]:
        if not self.has_server:
            raise rtmidi.SystemError("the server is gone")
        return self.ports

    def open_port(self, port: int, name: str) -> None:
        self.opened.append(self.ports[port])

    def open_virtual_port(self, name: str) -> None:
        if not self.has_virtual:
            raise NotImplementedError("no virtual ports here")
        self.opened.append(f"virtual {name}")

    def ignore_types(self, *ignored: bool) -> None:
        self.ignored = ignored

    def get_message(self) -> tuple[list[int], float] | None:
        return self.waiting.pop(0) if self.waiting else None

    def send_message(self, message: Sequence[int]) -> None:
        if self.is_deleted:
            raise rtmidi.SystemError("gone")
        self.sent.append(message)

    def get_current_api(self) -> int:
        return 0

    def delete(self) -> None:
        self.is_deleted = True


def test_virtual_ports_of_one_name_for_both_ways() -> None:
    one, other, now = FakeClient(["Piano 20:0"]), FakeClient(["Piano 20:0"]), [5.0]
    port = ControlPort("LiveCover Control", lambda: one, lambda: other, lambda: now[0])
    assert port.is_virtual
    assert one.opened == other.opened == ["virtual LiveCover Control"]
    assert one.ignored == (False, False, False)  # clock is heard, and all that time passes with
    one.waiting = [([0xF8], 0.0), ([0xB0, 1, 2], 0.0), ([0xF0, 1, 2, 3, 0xF7], 0.0), ([], 0.0)]
    assert port.fetch()[0] == ((0xF8, 0, 0), 5.0)
    now[0] = 5.5
    one.waiting = [([0xF8], 0.5)]
    assert port.fetch() == [((0xF8, 0, 0), 5.5)]
    port.send((0xB0, 1, 2))
    assert other.sent == [(0xB0, 1, 2)]
    port.close()
    port.close()
    port.send((0xB0, 1, 2))
    assert port.fetch() == []
    assert one.is_deleted and other.is_deleted and len(other.sent) == 1


def test_a_port_that_breaks_is_opened_again() -> None:
    inputs, outputs = [FakeClient(), FakeClient()], [FakeClient(), FakeClient()]
    to_open = iter(inputs), iter(outputs)
    now = [5.0]
    port = ControlPort(
        "LiveCover Control",
        lambda: next(to_open[0]),
        lambda: next(to_open[1]),
        lambda: now[0],
        check_every=None,
    )
    inputs[0].waiting = [([0xB0, 1, 2], 0.0)]
    assert port.fetch() == [((0xB0, 1, 2), 5.0)]
    inputs[0].has_server = outputs[0].has_server = False
    port.check()
    assert inputs[0].is_deleted and outputs[0].is_deleted
    assert inputs[1].opened == outputs[1].opened == ["virtual LiveCover Control"]
    assert inputs[1].ignored == (False, False, False)
    now[0] = 9.0
    inputs[1].waiting = [([0xB0, 1, 3], 0.0)]  # its driver counts anew
    assert port.fetch() == [((0xB0, 1, 3), 9.0)]
    port.close()


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.5)), min_size=30, max_size=60))
def test_moments_are_never_late_nor_out_of_order(steps: list[tuple[float, float]]) -> None:
    timestamps, true, found = MessageTimestamps(), 100.0, []
    for since_last, held_up in [(0.0, 0.0), *steps]:
        true += since_last
        host_time = timestamps.host_time(since_last, true + held_up)
        found.append(host_time)
        drift = 1e-4 * (true - 100.0)  # as far as all before were held up
        assert host_time <= true + held_up + drift + 1e-6
        assert host_time == pytest.approx(true, abs=0.01)  # as the first came at once
    assert found == sorted(found)


def test_a_driver_whose_clock_jumps_is_followed() -> None:
    timestamps = MessageTimestamps()
    timestamps.host_time(0.0, 10.0)
    assert timestamps.host_time(0.1, 50.0) == 50.0


def test_hardware_is_found_and_answered_where_it_listens() -> None:
    one, other = FakeClient(["nanoKONTROL2:CTRL 20:0"]), FakeClient(["nanoKONTROL2:CTRL 20:0"])
    port = ControlPort("nanoKONTROL2", lambda: one, lambda: other)
    assert not port.is_virtual and one.opened == other.opened == one.ports
    deaf = FakeClient([])
    port = ControlPort("nanoKONTROL2", lambda: one, lambda: deaf)
    assert deaf.opened == []


def test_another_livecover_is_no_controller() -> None:
    others = ["livecover_control:LiveCover Control 130:0"]
    one, other = FakeClient(others), FakeClient(others)
    port = ControlPort("LiveCover Control", lambda: one, lambda: other)
    assert port.is_virtual


@pytest.mark.parametrize(
    "ports", [["livecover_control:LiveCover Control 130:0"], ["LiveCover Control"]]
)
def test_notes_never_go_to_a_control_port(ports: list[str]) -> None:
    assert find_port("LiveCover", ports) is None
    assert find_port("LiveCover Control", ports) == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: FakeClient([], has_virtual=False),
            "'X' for controllers cannot be opened (no virt",
        ),
        (lambda: FakeClient(["X a", "X b"]), "MIDI port 'X' could be any of 'X a', 'X b'"),
    ],
)
def test_what_cannot_be_opened(make: Callable[[], FakeClient], message: str) -> None:
    one = make()
    with pytest.raises(MidiError) as caught:
        ControlPort("X", lambda: one, FakeClient)
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert one.is_deleted


class Knobs:
    """A port at which these messages come at once."""

    is_virtual = True

    def __init__(self, *messages: tuple[int, ...]) -> None:
        self.messages = messages
        self.is_closed = False

    def __call__(self, name: str) -> "Knobs":
        return self

    def fetch(self) -> list[tuple[Message, float]]:
        padded = ((*message, 0, 0) for message in self.messages)
        return [((one, two, three), 0.0) for one, two, three, *_ in padded]

    def close(self) -> None:
        self.is_closed = True


def test_the_first_controller_that_moves_is_learned() -> None:
    knobs, told = Knobs((0xF8,), (0x80, 60, 0), (0xB2, 30, 5), (0xB0, 31, 5)), list[str]()
    changed = learn(Settings(), "decoder.density", threading.Event(), told.append, knobs)  # type: ignore[arg-type]
    assert changed is not None and knobs.is_closed
    assert line_of(changed, "decoder.density") == '"ch 3 cc 30" = "decoder.density"'
    assert told[0].startswith(
        "connect it to the port LiveCover Control and move the knob, fader or button for"
    )


def test_a_key_is_told_that_it_is_no_fader() -> None:
    knobs, told = Knobs((0x90, 60, 9), (0xB0, 30, 5)), list[str]()
    settings = with_values(Settings(), {"control.channel": 1})
    changed = learn(settings, "model.style", threading.Event(), told.append, knobs)  # type: ignore[arg-type]
    assert changed == {"cc 1": "none", "cc 30": "model.style"}
    assert "a button needs a value" in told[1]


def test_nothing_is_learned_once_stopped() -> None:
    stop = threading.Event()
    stop.set()
    assert learn(Settings(), "panic", stop, lambda line: None, Knobs()) is None  # type: ignore[arg-type]


def test_what_cannot_be_learned() -> None:
    with pytest.raises(ConfigError, match="did you mean model.style"):
        learn(Settings(), "model.stile", threading.Event(), lambda line: None)
    off = with_values(Settings(), {"control.port": "off"})
    with pytest.raises(ConfigError, match="control.port is off"):
        learn(off, "panic", threading.Event(), lambda line: None)
