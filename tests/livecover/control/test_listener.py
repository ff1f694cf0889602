"""From a message to what is done and what is answered, on a fake instrument, without threads."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import ConfigError, MidiError
from livecover.control.command_queue import CommandQueue
from livecover.control.feedback import EVERY_S, MAX_MESSAGES
from livecover.control.listener import midi_control
from livecover.control.ports import Message
from livecover.settings.sections import with_values
from tests.livecover.control.fakes import ControlSetup, FakeInstrument

CC, NOTE, OFF, PROGRAM = 0xB0, 0x90, 0x80, 0xC0


def test_a_fader_moves_its_setting_by_its_last_word_only() -> None:
    setup = ControlSetup(cc_1="model.style")
    setup.hear(*((CC, 1, value) for value in range(128)))
    setup.turn()
    assert setup.setting("model.style") == 1.0
    assert setup.instrument.changes == [{"model.style": 1.0}]


def test_what_a_fader_said_is_never_sent_back() -> None:
    setup = ControlSetup(cc_1="decoder.polyphony", cc_2="play.parts")
    for value in range(0, 128, 5):
        setup.hear((CC, 1, value), (CC, 2, value))
        assert setup.rest(0.06) == []
    assert setup.rest() == []


def test_a_change_elsewhere_moves_the_fader_once() -> None:
    setup = ControlSetup()
    setup.hear((CC | 4, 1, 10))
    setup.rest()
    setup.instrument.change({"model.style": "intense"})
    assert setup.rest() == [(CC | 4, 1, 127)]  # on the channel it was heard on
    setup.instrument.change({"model.style": 1.0})  # the same
    assert setup.rest() == []


def test_a_fader_under_a_hand_is_left_alone_until_it_rests() -> None:
    setup = ControlSetup()
    for value in range(40, 60):
        setup.hear((CC, 1, value))
        setup.instrument.change({"model.style": 0.0})
        assert setup.rest(0.1) == []
    setup.queue.run_pending()
    setup.instrument.change({"model.style": 0.0})
    assert setup.rest() == [(CC, 1, 0)]


def test_a_fader_is_told_where_it_stands_when_it_asks_for_what_cannot_be() -> None:
    setup = ControlSetup()
    setup.instrument.refused = ("model.style",)
    setup.hear((CC, 1, 100))
    assert setup.rest() == [(CC, 1, 64)]
    assert setup.told == ["no model.style today"]
    setup.hear((CC, 1, 101))
    setup.rest()
    assert setup.told == ["no model.style today"]


def test_one_wrong_setting_does_not_hold_up_the_others() -> None:
    setup = ControlSetup(cc_2="decoder.density")
    setup.instrument.refused = ("model.style",)
    setup.hear((CC, 1, 100), (CC, 2, 127))
    setup.turn()
    assert setup.setting("decoder.density") == 4.0


@given(st.lists(st.tuples(st.sampled_from([1, 2, 3, 64]), st.integers(0, 127)), max_size=30))
@settings(max_examples=30)
def test_after_any_moves_faders_and_settings_agree(moves: list[tuple[int, int]]) -> None:
    setup = ControlSetup(cc_2="midi.transpose", cc_3="play.parts")
    stands: dict[int, int] = {}
    for number, value in moves:
        stands[number] = value
        setup.hear((CC, number, value))
        setup.rest(0.04)
    assert setup.rest() == []
    for number, value in stands.items():
        target = setup.instrument.settings.control.bindings()
        binding = next(b for s, b in target.items() if s.number == number)
        assert setup.setting(binding.target.name) == binding.target.from_value(value)


def test_all_is_told_at_the_start_and_to_who_speaks_first() -> None:
    setup = ControlSetup(is_known=False, cc_2="decoder.density", note_36="play.mute")
    assert setup.sent == [(CC, 1, 64), (CC, 64, 0), (CC, 2, 64), (NOTE, 36, 0)]
    setup.sent.clear()
    setup.hear((CC, 99, 1))
    assert setup.rest() == [(CC, 1, 64), (CC, 64, 0), (CC, 2, 64), (NOTE, 36, 0)]
    setup.hear((CC, 99, 2))
    assert setup.rest() == []


def test_what_is_sent_is_bounded() -> None:
    setup = ControlSetup(True, **{f"note_{n}": "play.mute" for n in range(40)})
    setup.sent.clear()
    setup.instrument.change({"play.mute": True})
    first = setup.now
    n_sent = [0]
    while setup.now < first + 10 * EVERY_S:
        setup.turn()
        n_sent.append(len(setup.sent))
        setup.now += EVERY_S / 10
    in_time = [late - early for early, late in zip(n_sent, n_sent[10:], strict=False)]
    assert max(in_time) <= 2 * MAX_MESSAGES  # at the begin and the end of that time
    assert len(setup.sent) == 40


def test_a_button_toggles_when_it_goes_down_and_shines() -> None:
    setup = ControlSetup(note_36="play.mute", cc_20="play.hands toggle")
    setup.sent.clear()
    setup.hear((NOTE, 36, 90), (CC, 20, 127))
    assert setup.rest()[-2:] == [(NOTE, 36, 127), (CC, 20, 127)]
    assert setup.setting("play.mute") and setup.setting("play.hands")
    setup.hear((OFF, 36, 0), (CC, 20, 0))
    assert setup.rest() == []
    assert setup.setting("play.mute") and setup.setting("play.hands")
    setup.hear((NOTE, 36, 1), (NOTE, 36, 0), (CC, 20, 127))
    setup.rest()
    assert not setup.setting("play.mute") and not setup.setting("play.hands")


def test_two_presses_within_one_turn_are_two() -> None:
    setup = ControlSetup(note_36="play.mute")
    setup.hear(*[(NOTE, 36, 90), (OFF, 36, 0)] * 2)
    setup.turn()
    assert not setup.setting("play.mute")
    setup.hear(*[(NOTE, 36, 90), (OFF, 36, 0)] * 3)
    setup.turn()
    assert setup.setting("play.mute")


def test_a_cable_from_out_to_in_makes_no_loop() -> None:
    setup = ControlSetup(note_36="play.mute", cc_2="decoder.polyphony")
    setup.hear((NOTE, 36, 90), (OFF, 36, 0), (CC, 2, 77))
    n_heard = 0
    for _ in range(100):
        setup.turn()
        setup.hear(*setup.sent[n_heard:])
        n_heard = len(setup.sent)
        setup.now += 0.02
    assert setup.setting("play.mute")
    assert len(setup.sent) < 15


def test_buttons_set_values_and_take_the_next() -> None:
    setup = ControlSetup(
        note_36="model.style calm", note_37="play.parts", program_5="midi.octave -1"
    )
    setup.hear((NOTE, 36, 1), (NOTE, 37, 1), (PROGRAM, 5, 0))
    setup.turn()
    assert setup.setting("model.style") == "calm"
    assert setup.setting("play.parts") == "accompaniment"
    assert setup.setting("midi.octave") == -1


def test_program_changes_are_presets() -> None:
    setup = ControlSetup()
    for number, style in enumerate(("calm", "balanced", "intense", "intense")):
        setup.hear((PROGRAM, number, 0))
        setup.turn()
        assert setup.setting("model.style") == style


def test_deeds() -> None:
    setup = ControlSetup(note_1="panic", note_2="record", note_3="play", cc_20="record")
    setup.hear((NOTE, 1, 90), (NOTE, 2, 90), (NOTE, 3, 90))
    setup.turn()
    assert setup.instrument.n_panics == 1
    assert setup.instrument.recorder.is_recording and not setup.instrument.is_playing
    setup.rest()
    assert {(NOTE, 2, 127), (NOTE, 3, 0), (CC, 20, 127)} <= set(setup.sent)
    setup.hear((CC, 20, 0), (NOTE, 3, 0), (NOTE, 3, 90))
    setup.turn()
    assert not setup.instrument.recorder.is_recording and setup.instrument.is_playing


def test_pads_correct_the_beat_at_the_time_of_the_press() -> None:
    setup = ControlSetup(note_1="tap", cc_20="one", note_2="halve", note_3="double")
    setup.hear((NOTE, 1, 90))
    pressed = setup.now
    setup.now += 0.02  # until it is read
    setup.hear((NOTE, 1, 0), (CC, 20, 127), (CC, 20, 0), (NOTE, 2, 1), (NOTE, 3, 1))
    setup.turn()
    assert setup.song.corrections[0] == ("tap", pressed)
    assert [name for name, _ in setup.song.corrections[1:]] == ["one", "halve", "double"]
    setup.song.corrections.clear()
    assert setup.rest() == []  # a command has no state to show


def test_a_tap_where_no_beat_is_becomes_a_line(caplog: pytest.LogCaptureFixture) -> None:
    setup = ControlSetup(note_1="tap", cc_21="beat.offset")
    setup.song.is_over = True
    setup.hear((NOTE, 1, 90), (CC, 21, 127))
    setup.turn()
    assert "nothing plays" in caplog.text
    assert setup.setting("beat.offset") == pytest.approx(0.1)


def test_another_channel_is_not_heard() -> None:
    setup = ControlSetup()
    setup.instrument.change({"control.channel": 3})
    setup.hear((CC | 4, 1, 127))
    setup.turn()
    assert setup.setting("model.style") == "balanced"
    setup.hear((CC | 2, 1, 127))
    setup.turn()
    assert setup.setting("model.style") == 1.0


def test_what_is_nobodys_is_passed_over() -> None:
    setup = ControlSetup()
    n_changes = len(setup.instrument.changes)
    setup.hear((), (0xF0, 1, 2, 0xF7), (0xFE,), (CC, 99, 1), (CC, 123, 0), (0xE0, 1, 2), (NOTE,))
    setup.turn()
    assert len(setup.instrument.changes) == n_changes


def test_learning_binds_the_next_that_moves() -> None:
    setup = ControlSetup()
    setup.instrument.controllers.learn("decoder.density")
    setup.hear((OFF, 40, 0), (NOTE, 40, 90))  # a key cannot be a number
    setup.turn()
    assert setup.instrument.controllers.learning == "decoder.density"
    setup.hear((CC | 1, 30, 127))
    setup.rest()
    assert setup.instrument.controllers.learning is None
    assert setup.instrument.settings.control.map["ch 2 cc 30"] == "decoder.density"
    assert setup.setting("decoder.density") == 1.0  # that it moved was no change yet
    setup.hear((CC | 1, 30, 127))
    setup.turn()
    assert setup.setting("decoder.density") == 4.0


def test_a_learned_button_does_nothing_as_it_is_let_go() -> None:
    setup = ControlSetup()
    setup.instrument.controllers.learn("play.mute")
    setup.hear((CC, 30, 127), (CC, 30, 0))
    setup.rest()
    assert not setup.setting("play.mute")
    setup.hear((CC, 30, 127), (CC, 30, 0))
    setup.rest()
    assert setup.setting("play.mute")


def tick(setup: ControlSetup, n: int, bpm: float = 120.0) -> None:
    for _ in range(n):
        setup.hear((0xF8,))
        setup.turn()
        setup.now += 60.0 / (24 * bpm)


def test_start_and_stop_make_a_take_and_bar_lines() -> None:
    setup = ControlSetup()
    tick(setup, 60)
    assert setup.song.tempos[-1] is not None
    assert setup.song.tempos[-1].bpm == pytest.approx(120.0, abs=0.01)
    assert setup.song.tempos[-1].beat is None
    setup.hear((0xF2, 16, 0), (0xFB,))  # the second bar
    begun = setup.now
    tick(setup, 60)
    assert setup.instrument.recorder.is_recording
    tempo = setup.song.tempos[-1]
    assert tempo is not None
    assert tempo.beat_of(begun) == pytest.approx(4.0, abs=0.01)
    setup.hear((0xFC,))
    setup.turn()
    assert not setup.instrument.recorder.is_recording
    setup.rest()
    assert setup.song.tempos[-1] is None
    assert len(setup.song.tempos) < 30


def test_transport_may_be_left_to_others() -> None:
    setup = ControlSetup()
    setup.instrument.change({"control.transport": False})
    setup.hear((0xFA,))
    setup.turn()
    assert not setup.instrument.recorder.is_recording


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
    instrument, port, done = FakeInstrument(), FakePort(), threading.Event()
    instrument.record = lambda on: done.set()  # type: ignore[method-assign]
    with midi_control(instrument, lambda name: port):  # type: ignore[arg-type, return-value]
        assert instrument.controllers.port == "LiveCover Control"
        assert port.has_sent.wait(60.0)
        port.waiting = [((0xFA, 0, 0), 1.0)]
        assert done.wait(60.0)
    assert port.is_closed.is_set() and instrument.controllers.port == ""


def no_port(name: str) -> FakePort:
    raise MidiError("no MIDI system answers")


def test_without_midi_there_is_a_line_and_no_control(caplog: pytest.LogCaptureFixture) -> None:
    instrument = FakeInstrument()
    with midi_control(instrument, no_port):  # type: ignore[arg-type]
        assert instrument.controllers.port == ""
    assert caplog.messages == ["no control by MIDI: no MIDI system answers"]


def test_a_port_that_was_asked_for_must_be_there() -> None:
    instrument = FakeInstrument()
    instrument.settings = with_values(instrument.settings, {"control.port": "nanoKONTROL"})
    with pytest.raises(MidiError), midi_control(instrument, no_port):  # type: ignore[arg-type]
        pass


def test_off_is_off() -> None:
    instrument = FakeInstrument()
    instrument.settings = with_values(instrument.settings, {"control.port": "off"})
    with midi_control(instrument, no_port):  # type: ignore[arg-type]
        assert instrument.controllers.port == ""


def test_the_queue_knows_the_value_to_come() -> None:
    instrument = FakeInstrument()
    queue = CommandQueue(instrument)
    queue.put("play.mute", True)
    assert queue.value("play.mute") and not instrument.settings.play.mute
    queue.run_pending()
    assert instrument.settings.play.mute
    instrument.refused = ("play.mute",)
    queue.put("play.mute", False)
    queue.run_pending()
    assert queue.value("play.mute")
    with pytest.raises(ConfigError):
        instrument.change({"play.mute": False})
