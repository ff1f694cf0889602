"""From a message to what is done and what is answered, on a fake instrument, without threads."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import ConfigError, MidiError
from livecover.control.feedback import AT_ONCE, EVERY_S
from livecover.control.hands import Hands
from livecover.control.listener import controlled
from livecover.control.ports import Message
from livecover.settings.sections import with_values
from tests.livecover.control.band import Desk, FakeInstrument

CC, NOTE, OFF, PROGRAM = 0xB0, 0x90, 0x80, 0xC0


def test_a_fader_moves_its_setting_by_its_last_word_only() -> None:
    desk = Desk(cc_1="model.style")
    desk.hear(*((CC, 1, value) for value in range(128)))
    desk.turn()
    assert desk.setting("model.style") == 1.0
    assert desk.played.changes == [{"model.style": 1.0}]


def test_what_a_fader_said_is_never_sent_back() -> None:
    desk = Desk(cc_1="decoder.polyphony", cc_2="play.parts")
    for value in range(0, 128, 5):
        desk.hear((CC, 1, value), (CC, 2, value))
        assert desk.rest(0.06) == []
    assert desk.rest() == []


def test_a_change_elsewhere_moves_the_fader_once() -> None:
    desk = Desk()
    desk.hear((CC | 4, 1, 10))
    desk.rest()
    desk.played.change({"model.style": "intense"})
    assert desk.rest() == [(CC | 4, 1, 127)]  # on the channel it was heard on
    desk.played.change({"model.style": 1.0})  # the same
    assert desk.rest() == []


def test_a_fader_under_a_hand_is_left_alone_until_it_rests() -> None:
    desk = Desk()
    for value in range(40, 60):
        desk.hear((CC, 1, value))
        desk.played.change({"model.style": 0.0})
        assert desk.rest(0.1) == []
    desk.hands.turn()
    desk.played.change({"model.style": 0.0})
    assert desk.rest() == [(CC, 1, 0)]


def test_a_fader_is_told_where_it_stands_when_it_asks_for_what_cannot_be() -> None:
    desk = Desk()
    desk.played.refused = ("model.style",)
    desk.hear((CC, 1, 100))
    assert desk.rest() == [(CC, 1, 64)]
    assert desk.told == ["no model.style today"]
    desk.hear((CC, 1, 101))
    desk.rest()
    assert desk.told == ["no model.style today"]


def test_one_wrong_setting_does_not_hold_up_the_others() -> None:
    desk = Desk(cc_2="decoder.density")
    desk.played.refused = ("model.style",)
    desk.hear((CC, 1, 100), (CC, 2, 127))
    desk.turn()
    assert desk.setting("decoder.density") == 4.0


@given(st.lists(st.tuples(st.sampled_from([1, 2, 3, 64]), st.integers(0, 127)), max_size=30))
@settings(max_examples=30)
def test_after_any_moves_faders_and_settings_agree(moves: list[tuple[int, int]]) -> None:
    desk = Desk(cc_2="midi.transpose", cc_3="play.parts")
    stands: dict[int, int] = {}
    for number, value in moves:
        stands[number] = value
        desk.hear((CC, number, value))
        desk.rest(0.04)
    assert desk.rest() == []
    for number, value in stands.items():
        target = desk.played.settings.control.bindings()
        binding = next(b for s, b in target.items() if s.number == number)
        assert desk.setting(binding.target.name) == binding.target.from_value(value)


def test_all_is_told_at_the_start_and_to_who_speaks_first() -> None:
    desk = Desk(is_known=False, cc_2="decoder.density", note_36="play.mute")
    assert desk.sent == [(CC, 1, 64), (CC, 64, 0), (CC, 2, 64), (NOTE, 36, 0)]
    desk.sent.clear()
    desk.hear((CC, 99, 1))
    assert desk.rest() == [(CC, 1, 64), (CC, 64, 0), (CC, 2, 64), (NOTE, 36, 0)]
    desk.hear((CC, 99, 2))
    assert desk.rest() == []


def test_what_is_sent_is_bounded() -> None:
    desk = Desk(True, **{f"note_{n}": "play.mute" for n in range(40)})
    desk.sent.clear()
    desk.played.change({"play.mute": True})
    first = desk.now
    n_sent = [0]
    while desk.now < first + 10 * EVERY_S:
        desk.turn()
        n_sent.append(len(desk.sent))
        desk.now += EVERY_S / 10
    in_time = [late - early for early, late in zip(n_sent, n_sent[10:], strict=False)]
    assert max(in_time) <= 2 * AT_ONCE  # at the begin and the end of that time
    assert len(desk.sent) == 40


def test_a_button_toggles_when_it_goes_down_and_shines() -> None:
    desk = Desk(note_36="play.mute", cc_20="play.hands toggle")
    desk.sent.clear()
    desk.hear((NOTE, 36, 90), (CC, 20, 127))
    assert desk.rest()[-2:] == [(NOTE, 36, 127), (CC, 20, 127)]
    assert desk.setting("play.mute") and desk.setting("play.hands")
    desk.hear((OFF, 36, 0), (CC, 20, 0))
    assert desk.rest() == []
    assert desk.setting("play.mute") and desk.setting("play.hands")
    desk.hear((NOTE, 36, 1), (NOTE, 36, 0), (CC, 20, 127))
    desk.rest()
    assert not desk.setting("play.mute") and not desk.setting("play.hands")


def test_two_presses_within_one_turn_are_two() -> None:
    desk = Desk(note_36="play.mute")
    desk.hear(*[(NOTE, 36, 90), (OFF, 36, 0)] * 2)
    desk.turn()
    assert not desk.setting("play.mute")
    desk.hear(*[(NOTE, 36, 90), (OFF, 36, 0)] * 3)
    desk.turn()
    assert desk.setting("play.mute")


def test_a_cable_from_out_to_in_makes_no_loop() -> None:
    desk = Desk(note_36="play.mute", cc_2="decoder.polyphony")
    desk.hear((NOTE, 36, 90), (OFF, 36, 0), (CC, 2, 77))
    n_heard = 0
    for _ in range(100):
        desk.turn()
        desk.hear(*desk.sent[n_heard:])
        n_heard = len(desk.sent)
        desk.now += 0.02
    assert desk.setting("play.mute")
    assert len(desk.sent) < 15


def test_buttons_set_values_and_take_the_next() -> None:
    desk = Desk(note_36="model.style calm", note_37="play.parts", program_5="midi.octave -1")
    desk.hear((NOTE, 36, 1), (NOTE, 37, 1), (PROGRAM, 5, 0))
    desk.turn()
    assert desk.setting("model.style") == "calm"
    assert desk.setting("play.parts") == "accompaniment"
    assert desk.setting("midi.octave") == -1


def test_program_changes_are_presets() -> None:
    desk = Desk()
    for number, style in enumerate(("calm", "balanced", "intense", "intense")):
        desk.hear((PROGRAM, number, 0))
        desk.turn()
        assert desk.setting("model.style") == style


def test_deeds() -> None:
    desk = Desk(note_1="panic", note_2="record", note_3="play", cc_20="record")
    desk.hear((NOTE, 1, 90), (NOTE, 2, 90), (NOTE, 3, 90))
    desk.turn()
    assert desk.played.n_panics == 1
    assert desk.played.is_recording and not desk.played.is_playing
    desk.rest()
    assert {(NOTE, 2, 127), (NOTE, 3, 0), (CC, 20, 127)} <= set(desk.sent)
    desk.hear((CC, 20, 0), (NOTE, 3, 0), (NOTE, 3, 90))
    desk.turn()
    assert not desk.played.is_recording and desk.played.is_playing


def test_another_channel_is_not_heard() -> None:
    desk = Desk()
    desk.played.change({"control.channel": 3})
    desk.hear((CC | 4, 1, 127))
    desk.turn()
    assert desk.setting("model.style") == "balanced"
    desk.hear((CC | 2, 1, 127))
    desk.turn()
    assert desk.setting("model.style") == 1.0


def test_what_is_nobodys_is_passed_over() -> None:
    desk = Desk()
    n_changes = len(desk.played.changes)
    desk.hear((), (0xF0, 1, 2, 0xF7), (0xFE,), (CC, 99, 1), (CC, 123, 0), (0xE0, 1, 2), (NOTE,))
    desk.turn()
    assert len(desk.played.changes) == n_changes


def test_learning_binds_the_next_that_moves() -> None:
    desk = Desk()
    desk.played.learn("decoder.density")
    desk.hear((OFF, 40, 0), (NOTE, 40, 90))  # a key cannot be a number
    desk.turn()
    assert desk.played.learning == "decoder.density"
    desk.hear((CC | 1, 30, 127))
    desk.rest()
    assert desk.played.learning is None
    assert desk.played.settings.control.map["ch 2 cc 30"] == "decoder.density"
    assert desk.setting("decoder.density") == 1.0  # that it moved was no change yet
    desk.hear((CC | 1, 30, 127))
    desk.turn()
    assert desk.setting("decoder.density") == 4.0


def test_a_learned_button_does_nothing_as_it_is_let_go() -> None:
    desk = Desk()
    desk.played.learn("play.mute")
    desk.hear((CC, 30, 127), (CC, 30, 0))
    desk.rest()
    assert not desk.setting("play.mute")
    desk.hear((CC, 30, 127), (CC, 30, 0))
    desk.rest()
    assert desk.setting("play.mute")


def tick(desk: Desk, n: int, bpm: float = 120.0) -> None:
    for _ in range(n):
        desk.hear((0xF8,))
        desk.turn()
        desk.now += 60.0 / (24 * bpm)


def test_start_and_stop_make_a_take_and_bar_lines() -> None:
    desk = Desk()
    tick(desk, 60)
    assert desk.played.tempos[-1] is not None
    assert desk.played.tempos[-1].bpm == pytest.approx(120.0, abs=0.01)
    assert desk.played.tempos[-1].beat is None
    desk.hear((0xF2, 16, 0), (0xFB,))  # the second bar
    begun = desk.now
    tick(desk, 60)
    assert desk.played.is_recording
    tempo = desk.played.tempos[-1]
    assert tempo is not None
    assert tempo.beat_of(begun) == pytest.approx(4.0, abs=0.01)
    desk.hear((0xFC,))
    desk.turn()
    assert not desk.played.is_recording
    desk.rest()
    assert desk.played.tempos[-1] is None
    assert len(desk.played.tempos) < 30


def test_transport_may_be_left_to_others() -> None:
    desk = Desk()
    desk.played.change({"control.transport": False})
    desk.hear((0xFA,))
    desk.turn()
    assert not desk.played.is_recording


class FakePort:
    """The port, and what was sent to it."""

    def __init__(self) -> None:
        self.is_closed = threading.Event()
        self.has_sent = threading.Event()
        self.waiting: list[tuple[Message, float]] = []

    def fetch(self) -> list[tuple[Message, float]]:
        waiting, self.waiting = self.waiting, []
        return waiting

    def send(self, message: object) -> None:
        self.has_sent.set()

    def close(self) -> None:
        self.is_closed.set()


def test_the_threads_do_the_same() -> None:
    played, port, done = FakeInstrument(), FakePort(), threading.Event()
    played.record = lambda on: done.set()  # type: ignore[method-assign]
    with controlled(played, lambda name: port):  # type: ignore[arg-type, return-value]
        assert played.controller == "LiveCover Control"
        assert port.has_sent.wait(10.0)
        port.waiting = [((0xFA, 0, 0), 1.0)]
        assert done.wait(10.0)
    assert port.is_closed.is_set() and played.controller == ""


def no_port(name: str) -> FakePort:
    raise MidiError("no MIDI system answers")


def test_without_midi_there_is_a_line_and_no_control(caplog: pytest.LogCaptureFixture) -> None:
    played = FakeInstrument()
    with controlled(played, no_port):  # type: ignore[arg-type]
        assert played.controller == ""
    assert caplog.messages == ["no control by MIDI: no MIDI system answers"]


def test_a_port_that_was_asked_for_must_be_there() -> None:
    played = FakeInstrument()
    played.settings = with_values(played.settings, {"control.port": "nanoKONTROL"})
    with pytest.raises(MidiError), controlled(played, no_port):  # type: ignore[arg-type]
        pass


def test_off_is_off() -> None:
    played = FakeInstrument()
    played.settings = with_values(played.settings, {"control.port": "off"})
    with controlled(played, no_port):  # type: ignore[arg-type]
        assert played.controller == ""


def test_hands_know_what_will_be() -> None:
    played = FakeInstrument()
    hands = Hands(played)
    hands.ask("play.mute", True)
    assert hands.state("play.mute") and not played.settings.play.mute
    hands.turn()
    assert played.settings.play.mute
    played.refused = ("play.mute",)
    hands.ask("play.mute", False)
    hands.turn()
    assert hands.state("play.mute")
    with pytest.raises(ConfigError):
        played.change({"play.mute": False})
