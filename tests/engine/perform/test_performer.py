"""From the decoder's events to what is played, in sequences written by hand."""

from hypothesis import given
from hypothesis import strategies as st

from engine.core.notes import Event, NoteEvent, Part, PedalEvent
from engine.core.settings import MidiSettings, PlaySettings
from engine.perform.performer import Performer


def on(time: float, pitch: int = 60, part: Part = "accompaniment") -> NoteEvent:
    return NoteEvent(time, pitch, 64, part)


def off(time: float, pitch: int = 60, part: Part = "accompaniment") -> NoteEvent:
    return NoteEvent(time, pitch, 0, part)


def performer(play: PlaySettings | None = None, midi: MidiSettings | None = None) -> Performer:
    return Performer(play or PlaySettings(), midi or MidiSettings())


def test_by_default_all_is_played_as_it_is() -> None:
    events = [on(0.0), on(0.1, 72, "melody"), off(0.5), off(0.6, 72, "melody")]
    assert performer().push(events) == events


def test_key_octave_touch_and_channels() -> None:
    midi = MidiSettings(channel=3, melody_channel=4, transpose=-2, octave=1, velocity_curve="fixed")
    played = performer(midi=midi).push([on(0.0), on(0.0, 72, "melody"), off(1.0)])
    assert played == [
        NoteEvent(0.0, 70, 80, channel=3),
        NoteEvent(0.0, 82, 80, "melody", channel=4),
        NoteEvent(1.0, 70, 0, channel=3),
    ]


def test_parts_have_octaves_of_their_own() -> None:
    midi = MidiSettings(octave=-1, melody_octave=2, left_octave=-1)
    left = NoteEvent(0.0, 60, 64, hand="left")
    played = performer(midi=midi).push([left, on(0.0, 64), on(0.0, 72, "melody")])
    assert [e.pitch for e in played if isinstance(e, NoteEvent)] == [36, 52, 84]


def test_a_low_melody_is_raised_unless_its_octave_is_given() -> None:
    low = [e for k in range(20) for e in (on(0.5 * k, 52, "melody"), off(0.5 * k + 0.2, 52))]
    for octave, last in ((None, 64), (0, 52), (-1, 40)):
        played = performer(midi=MidiSettings(melody_octave=octave)).push(low)
        assert isinstance(played[-1], NoteEvent)
        assert (played[-1].pitch, played[-1].is_on) == (last, False)


def test_keys_and_velocities_stay_in_their_ranges() -> None:
    midi = MidiSettings(lowest_key=48, highest_key=72, lowest_velocity=40, highest_velocity=90)
    loud, soft = NoteEvent(0.0, 30, 127), NoteEvent(0.0, 100, 1)
    one = performer(midi=midi)
    played = one.push([loud, soft, NoteEvent(1.0, 30, 0), NoteEvent(1.0, 100, 0)])
    assert [(e.pitch, e.velocity) for e in played if isinstance(e, NoteEvent)] == [
        *((54, 90), (64, 40)),
        *((54, 0), (64, 0)),
    ]
    folded = one.push([NoteEvent(2.0, 54, 80), NoteEvent(2.5, 30, 80)])  # one key for both
    assert [(e.pitch, e.is_on) for e in folded if isinstance(e, NoteEvent)] == [
        *((54, True), (54, False), (54, True)),
    ]


def test_what_leaves_the_midi_range_is_left_out_with_its_end() -> None:
    assert performer(midi=MidiSettings(octave=4)).push([on(0.0, 100), off(1.0, 100)]) == []


def test_parts() -> None:
    events = [on(0.0), on(0.0, 72, "melody"), off(1.0), off(1.0, 72, "melody")]
    for part, pitch in (("accompaniment", 60), ("melody", 72)):
        played = performer(PlaySettings(parts=part)).push(events)
        assert [event.pitch for event in played if isinstance(event, NoteEvent)] == [pitch] * 2


def test_a_note_ends_where_it_began_whatever_was_changed() -> None:
    one = performer()
    one.push([on(0.0)])
    assert one.change(PlaySettings(mute=True), MidiSettings(transpose=5, channel=2)) == []
    assert one.push([on(0.5, 61), off(1.0)]) == [off(1.0)]


def test_a_key_that_another_note_holds_is_let_go_first() -> None:
    one = performer(midi=MidiSettings(transpose=2))
    one.push([on(0.0, 60)])  # sounds as 62
    one.change(PlaySettings(), MidiSettings())
    assert one.push([on(1.0, 62), off(2.0, 60), off(3.0, 62)]) == [
        off(1.0, 62),
        on(1.0, 62),
        off(3.0, 62),
    ]


def test_hands_have_channels_of_their_own() -> None:
    one = performer(PlaySettings(hands=True), MidiSettings(left_channel=2))
    played = one.push([on(0.0, 36), on(0.0, 72)])
    assert [(e.hand, e.channel) for e in played if isinstance(e, NoteEvent)] == [
        ("left", 2),
        ("right", 1),
    ]


def test_hands_that_come_and_go_leave_nothing_sounding() -> None:
    one = performer()
    one.push([on(0.0)])
    assert one.change(PlaySettings(hands=True), MidiSettings()) == [off(0.0)]
    assert one.push([off(1.0)]) == []


def test_a_pedal_is_sent_to_every_channel_and_lifted_at_rest() -> None:
    one = performer(PlaySettings(pedal="harmony"), MidiSettings(channel=1, melody_channel=2))
    played: list[Event] = []
    for beat in range(8):
        played += one.push([on(beat, 36 + beat % 2 * 5), on(beat, 60)])
        played += one.push([off(beat + 0.9, 36 + beat % 2 * 5), off(beat + 0.9, 60)])
    played += one.release_all()
    for channel in (1, 2):
        pedals = [e for e in played if isinstance(e, PedalEvent) and e.channel == channel]
        assert any(pedal.is_down for pedal in pedals)
        assert not pedals[-1].is_down


def test_the_pedal_moves_while_no_note_comes() -> None:
    one = performer(PlaySettings(pedal="harmony"))
    assert one.push([on(1.0, 48), on(1.0, 52)], now=1.01) == [on(1.0, 48), on(1.0, 52)]
    assert one.push([], now=1.1) == [PedalEvent(1.08, True)]
    assert one.push([], now=1.2) == []
    assert one.push([], now=4.1) == [PedalEvent(4.0, False)]
    assert one.push([]) == []


def test_what_the_pedal_has_ended_ends_once() -> None:
    one = performer(PlaySettings(pedal="harmony"))
    played = [*one.push([on(0.0, 48), on(1.0, 41)], now=2.0), *one.release_all()]
    ends = [(e.time, e.pitch) for e in played if isinstance(e, NoteEvent) and not e.is_on]
    assert ends == [(1.08, 48), (2.0, 41)]


@given(
    st.lists(
        st.tuples(
            st.integers(40, 50),
            st.integers(-3, 3),
            st.booleans(),
            st.sampled_from(["off", "harmony"]),
        ),
        max_size=40,
    )
)
def test_every_note_that_begins_ends_whatever_is_changed(
    steps: list[tuple[int, int, bool, str]],
) -> None:
    one = performer()
    played: list[Event] = []
    sounding: set[int] = set()
    for time, (pitch, transpose, hands, pedal) in enumerate(steps):
        played += one.change(
            PlaySettings(hands=hands, pedal=pedal), MidiSettings(transpose=transpose)
        )
        played += one.push([off(time, pitch) if pitch in sounding else on(time, pitch)])
        sounding ^= {pitch}
    played += one.release_all()
    keys: set[int] = set()
    is_down = False
    for event in played:
        if isinstance(event, PedalEvent):
            is_down = event.is_down
        elif event.is_on:
            assert event.pitch not in keys
            keys.add(event.pitch)
        else:
            keys.remove(event.pitch)
    assert not keys and not is_down
