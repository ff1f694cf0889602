"""The map: what its lines say, what they may not, and numbers to and from a controller."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import ConfigError
from livecover.mapping.bindings import find_binding, lines_to_learn, merge_maps, parse_map
from livecover.mapping.sources import Source, parse_message, parse_source
from livecover.mapping.targets import SETTINGS, SWITCH, Choice, Range, is_same
from livecover.settings.sections import Settings, with_values

NAMES = sorted(SETTINGS)
VALUES = st.integers(0, 127)


@given(st.sampled_from(NAMES), VALUES)
def test_wherever_a_fader_stands_the_setting_is_one(name: str, value: int) -> None:
    target = parse_map({"cc 1": name})[Source("cc", 1)].target
    settings = with_values(Settings(), {name: target.from_value(value)})
    section, key = name.split(".")
    set_to = getattr(getattr(settings, section), key)
    shown = target.to_value(set_to)
    assert shown is not None
    assert is_same(target.scale, target.from_value(shown), set_to)


@given(st.sampled_from([name for name in NAMES if isinstance(SETTINGS[name], Range)]), VALUES)
def test_a_fader_that_rises_lowers_nothing(name: str, value: int) -> None:
    scale = SETTINGS[name]
    assert isinstance(scale, Range)
    assert scale.low <= scale.scale(value) <= scale.high
    assert scale.scale(max(0, value - 1)) <= scale.scale(value)


@pytest.mark.parametrize("name", [name for name in NAMES if isinstance(SETTINGS[name], Range)])
def test_the_middle_is_the_default_and_the_ends_are_the_ends(name: str) -> None:
    scale = SETTINGS[name]
    assert isinstance(scale, Range)
    section, key = name.split(".")
    default = getattr(getattr(Settings(), section), key)
    assert is_same(scale, scale.scale(64), default)
    assert (scale.scale(0), scale.scale(127)) == (scale.low, scale.high)


@given(st.sampled_from(["cc", "note", "program"]), VALUES, st.none() | st.integers(1, 16))
def test_a_source_is_written_as_it_is_read(kind: str, number: int, channel: int | None) -> None:
    text = f"{'' if channel is None else f'ch {channel} '}{kind} {number}"
    assert str(parse_source(text)) == text


@given(st.lists(st.integers(0, 255), max_size=4))
def test_nothing_that_comes_is_too_strange_to_hear(message: list[int]) -> None:
    found = parse_message(message)
    if found is not None:
        assert find_binding(parse_map({"cc 1": "panic"}), found[0]) is None or found[0].number == 1


def test_a_range_may_be_narrower_or_turned_round() -> None:
    bindings = parse_map({"cc 1": "decoder.density 0.5 to 2", "cc 2": "model.style 1 to 0"})
    density, style = bindings[Source("cc", 1)].target, bindings[Source("cc", 2)].target
    assert [density.from_value(v) for v in (0, 64, 127)] == [0.5, 1.25, 2.0]
    assert [style.from_value(v) for v in (0, 64, 127)] == [1.0, 0.5, 0.0]
    assert style.to_value("calm") == 127


def test_switches_change_at_the_middle_and_buttons_toggle() -> None:
    target = parse_map({"cc 64": "play.hold"})[Source("cc", 64)].target
    assert [target.from_value(v) for v in (0, 63, 64, 127)] == [False, False, True, True]
    assert [target.pressed(was) for was in (False, True)] == [True, False]
    parts = parse_map({"note 1": "play.parts"})[Source("note", 1)].target
    assert [parts.pressed(was) for was in ("full", "accompaniment", "melody")] == [
        "accompaniment",
        "melody",
        "full",
    ]


def test_a_value_shows_whether_it_is_set() -> None:
    target = parse_map({"note 36": "model.style calm"})[Source("note", 36)].target
    assert target.pressed(0.7) == "calm"
    assert [target.to_value(style) for style in ("calm", 0.0, 0.2, "wild")] == [127, 127, 0, 0]


def test_a_style_of_24_numbers_is_shown_nowhere() -> None:
    target = parse_map({"cc 1": "model.style"})[Source("cc", 1)].target
    assert target.to_value((0.1,) * 24) is None


def test_the_closest_name_is_taken() -> None:
    bindings = parse_map({"cc 7": "model.style", "ch 2 cc 7": "decoder.density"})
    assert {
        channel: find_binding(bindings, Source("cc", 7, channel)).target.name  # type: ignore[union-attr]
        for channel in (1, 2)
    } == {1: "model.style", 2: "decoder.density"}
    assert find_binding(bindings, Source("cc", 8, 1)) is None


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("cc 128", "panic", "control.map: expected cc 0 to cc 127, note 0 to note 127"),
        ("ch 17 cc 1", "panic", "for one channel alone, got 'ch 17 cc 1'"),
        ("knob 1", "panic", "got 'knob 1'"),
        ("cc 1", "model.stile", "did you mean model.style?"),
        ("cc 1", "zzz", "can control, got 'zzz'; known: model.style, "),
        ("cc 1", "", "can control, got ''"),
        ("cc 1", "model.style 0 to 2", "expected a number from 0 to 1, not 2"),
        ("cc 1", "model.style 0.5 to 0.5", "expected two different ends of a range, got 0.5 twice"),
        ("cc 1", "decoder.polyphony 1 to 2.5", "expected a whole number from 1 to 88, not 2.5"),
        ("cc 1", "decoder.polyphony nan", "expected a whole number from 1 to 88, not nan"),
        ("cc 1", "play.parts loud", "expected one of full, accompaniment, melody, not loud"),
        ("cc 1", "play.mute 3", "expected on or off, not 3"),
        ("cc 1", "play.mute 0 to 1", "expected one of: KEY"),
        ("cc 1", "panic now", "expected nothing after panic, got now"),
        (
            "cc 1",
            "presets",
            "presets or scenes goes with program, and program with presets",
        ),
        (
            "program",
            "panic",
            "presets or scenes goes with program, and program with presets",
        ),
        ("note 1", "decoder.density", "a button needs a value to set, such as decoder.density 4"),
        ("note 1", "decoder.density 0.5 to 2", "expected one of: KEY"),
    ],
)
def test_what_a_map_may_not_say(source: str, target: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_map({source: target})
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_learning_lets_one_controller_alone_drive_a_setting() -> None:
    before = {"cc 1": "model.style", "cc 2": "model.style 0 to 0.5", "cc 3": "decoder.density"}
    lines = lines_to_learn(before, "model.style", Source("cc", 3, 2))
    assert merge_maps(before, lines) == {"cc 3": "decoder.density", "ch 2 cc 3": "model.style"}


@pytest.mark.parametrize(
    ("source", "name", "line"),
    [
        (Source("cc", 20), "play.mute", "play.mute toggle"),
        (Source("cc", 64), "play.mute", "play.mute"),
        (Source("cc", 20), "record", "record toggle"),
        (Source("note", 20), "record", "record"),
        (Source("cc", 20), "panic", "panic"),
    ],
)
def test_a_learned_button_toggles(source: Source, name: str, line: str) -> None:
    assert lines_to_learn({}, name, source) == {str(source): line}


def test_programs_are_learned_as_all_of_them() -> None:
    assert lines_to_learn({}, "presets", Source("program", 3)) == {"program": "presets"}


def test_a_key_cannot_learn_a_number() -> None:
    with pytest.raises(ConfigError, match="a button needs a value to set"):
        lines_to_learn({}, "model.style", Source("note", 36))


def test_every_setting_that_moves_is_known() -> None:
    for name in NAMES:
        section, key = name.split(".")
        assert hasattr(getattr(Settings(), section), key)
    assert isinstance(SWITCH, Choice)
