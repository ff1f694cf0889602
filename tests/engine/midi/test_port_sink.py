"""Notes to a port, through a stand-in for RtMidi's client."""

import pytest
import rtmidi

from engine.core.errors import MidiError
from engine.core.notes import NoteEvent, PedalEvent
from engine.midi.messages import program_messages
from engine.midi.ports import names as midi_ports
from engine.midi.ports.names import candidate_apis, find_port
from engine.midi.sinks import PortSink, open_sink
from tests.engine.midi_fakes import HARDWARE, Client
from tests.messages import refused


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("Yamaha P-125:Yamaha P-125 MIDI 1 20:0", 1),
        ("yamaha p-125:yamaha p-125 midi 1", 1),
        ("Yamaha P-125", 1),
        ("yamaha", 1),
        ("USB Synth MIDI 2", 3),
        ("LiveCover", None),
        ("Yama", None),
    ],
)
def test_find_port(name: str, index: int | None) -> None:
    assert find_port(name, HARDWARE) == index


def test_find_port_names_what_is_ambiguous() -> None:
    with refused(MidiError, "'USB Synth:USB Synth MIDI 1 24:0'", "'USB"):
        find_port("usb", HARDWARE)


def test_a_known_name_opens_that_port_and_another_a_virtual_one() -> None:
    client = Client(HARDWARE)
    assert not PortSink("yamaha", connect=lambda: client, check_every=None).is_virtual
    assert client.opened == (1, "yamaha")
    client = Client(HARDWARE)
    assert PortSink("LiveCover", connect=lambda: client, check_every=None).is_virtual
    assert client.opened == (None, "LiveCover")


def test_port_sends_notes_pedals_and_silence() -> None:
    client = Client()
    sink = PortSink("LiveCover", connect=lambda: client, check_every=None)
    sink.send(NoteEvent(0.0, 60, 100, channel=2))
    sink.send(PedalEvent(0.0, True, channel=16))
    silence = [(s, c, 0) for s in (0xB1, 0xBF) for c in (64, 123)]
    sink.silence()
    assert client.sent == [(0x91, 60, 100), (0xBF, 64, 127), *silence]
    sink.send(NoteEvent(0.0, 60, 100, channel=2))
    sink.close()
    sink.close()
    assert client.sent[6:] == [(0x91, 60, 100), *silence[:2]]
    assert client.is_deleted
    with pytest.raises(MidiError, match="'LiveCover' is closed"):
        sink.panic()


@pytest.mark.parametrize(
    "name", ["LiveCover Control", "livecover control", "livecover_control:LiveCover Control 130:0"]
)
def test_notes_never_go_to_where_controllers_are_heard(name: str) -> None:
    with refused(MidiError, "hears controllers", "another port", "--midi-out"):
        open_sink([name])


def test_panic_silences_all_channels_whatever_was_used() -> None:
    client = Client()
    PortSink("LiveCover", connect=lambda: client, check_every=None).panic()
    assert client.sent == [(0xB0 + c, k, 0) for c in range(16) for k in (64, 120, 121, 123)]


def test_without_virtual_ports_the_error_says_loopmidi() -> None:
    clients = [Client(["Microsoft GS Wavetable Synth 0"], can_make_virtual=False) for _ in "12"]
    remaining = iter(clients)
    with refused(MidiError, "'Microsoft GS", "install loopMIDI"):
        PortSink("LiveCover", connect=lambda: next(remaining), check_every=None)
    assert all(client.is_deleted for client in clients)


def test_port_in_use() -> None:
    client = Client(HARDWARE)
    client.error = rtmidi.SystemError("error creating output port")
    with refused(MidiError, "'yamaha'", "error creating", "close"):
        PortSink("yamaha", connect=lambda: client, check_every=None)
    assert client.is_deleted


def test_ambiguous_port_releases_the_client() -> None:
    client = Client(HARDWARE)
    with pytest.raises(MidiError, match="in full"):
        PortSink("usb", connect=lambda: client, check_every=None)
    assert client.is_deleted


def test_which_midi_system_is_tried() -> None:
    alsa, jack, winmm = rtmidi.API_LINUX_ALSA, rtmidi.API_UNIX_JACK, rtmidi.API_WINDOWS_MM
    assert candidate_apis([alsa, jack], "linux", True) == [alsa, jack]
    assert candidate_apis([alsa, jack], "linux", False) == [jack]
    assert candidate_apis([alsa], "linux", False) == []
    assert candidate_apis([winmm], "win32", False) == [winmm]


@pytest.mark.parametrize(
    ("platform", "has_pipewire", "library", "advice"),
    [
        ("linux", False, None, "expected the ALSA sequencer or a JACK server.*modprobe snd-seq"),
        ("linux", True, None, "PipeWire runs, without its JACK; install it .*pipewire-jack"),
        ("linux", True, "libjack.so.0", "expected the ALSA sequencer or a JACK server"),
        ("darwin", False, None, "MIDI service"),
    ],
)
def test_no_midi_system(
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    has_pipewire: bool,
    library: str | None,
    advice: str,
) -> None:
    def refuse(*_: object) -> None:
        raise rtmidi.SystemError("JACK server not running?")

    monkeypatch.setattr(rtmidi, "MidiOut", refuse)
    monkeypatch.setattr(midi_ports, "JackOutput", refuse)
    monkeypatch.setattr(midi_ports, "pipewire_answers", lambda: has_pipewire)
    monkeypatch.setattr(midi_ports, "pipewire_library", lambda: library)
    monkeypatch.setattr("sys.platform", platform)
    with pytest.raises(MidiError, match=advice):
        midi_ports.open_output()


def test_ports_and_system_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    clients = [Client([*HARDWARE, "livecover_control:LiveCover Control 130:0"]), Client()]
    remaining = iter(clients)
    monkeypatch.setattr(midi_ports, "open_output", lambda: next(remaining))
    assert midi_ports.list_ports() == HARDWARE  # what is livecover's own is not offered
    assert midi_ports.midi_system() == "Jack"
    assert all(client.is_deleted for client in clients)


def test_a_sound_is_chosen_again_when_the_port_is_back() -> None:
    clients = [Client(HARDWARE), Client(HARDWARE)]
    waiting = list(clients)
    sink = PortSink("yamaha", connect=lambda: waiting.pop(0), check_every=None)
    chosen = program_messages([1, 2], 5, 129)
    assert chosen == [
        *((0xB0, 0, 1), (0xB0, 32, 1), (0xC0, 5)),
        *((0xB1, 0, 1), (0xB1, 32, 1), (0xC1, 5)),
    ]
    sink.choose_sound(chosen)
    assert clients[0].sent == chosen
    clients[0].ports.clear()
    sink.port.check()  # it has left, and comes back
    sink.send(NoteEvent(0.0, 60, 100))
    sink.send(NoteEvent(0.0, 62, 100))
    assert clients[1].sent == [*chosen, (0x90, 60, 100), (0x90, 62, 100)]
    sink.close()


def test_a_sound_is_chosen_again_after_a_rest_for_whoever_has_connected_meanwhile() -> None:
    client, now = Client(), [0.0]
    sink = PortSink("LiveCover", connect=lambda: client, check_every=None, clock=lambda: now[0])
    chosen = program_messages([1], 5)
    sink.choose_sound(chosen)
    on, off = NoteEvent(0.0, 60, 100), NoteEvent(0.0, 60, 0)
    played = [(0x90, 60, 100), (0x80, 60, 0)]
    sink.send(on)
    now[0] = 30.0  # a long note is no rest
    sink.send(off)
    sink.send(on)
    sink.send(off)
    assert client.sent == [*chosen, *played, *played]
    now[0] = 33.0
    sink.send(on)
    assert client.sent[5:] == [*chosen, played[0]]
    sink.close()


def test_a_sound_that_is_not_chosen_is_left_as_it_is() -> None:
    assert program_messages([1], None) == []
    client = Client()
    sink = PortSink("LiveCover", connect=lambda: client, check_every=None)
    sink.choose_sound([])
    assert client.sent == []
