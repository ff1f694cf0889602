"""Options become overrides of settings; what is not understood is said in one line."""

import re
from pathlib import Path

import pytest

from engine.core.errors import ConfigError
from engine.core.settings import BeatSettings
from livecover.options.parser import HELP, Request, make_parser, parse
from livecover.settings.sections import Settings, with_values
from livecover.settings.source import load_settings
from tests.messages import refused


def test_nothing_given_overrides_nothing() -> None:
    assert parse([]) == Request("play", (), None, {})


def test_every_option() -> None:
    request = parse(
        "--input song.wav --midi-out LiveCover --midi-out take.mid --model m.onnx --style calm"
        " --latency 250ms --config c.toml --channel 2 --transpose -12 --velocity-curve soft"
        " --log-level debug --provider cuda --threads 2 --density 0.5".split()
    )
    assert request.command == "play"
    assert request.config == Path("c.toml")
    settings = load_settings(Path(__file__).parents[3] / "config.toml", request.overrides)
    assert settings.audio.input == "song.wav"
    assert settings.midi.midi_out == ("LiveCover", "take.mid")
    assert (settings.model.model, settings.model.style) == ("m.onnx", "calm")
    assert (settings.model.provider, settings.model.threads) == ("cuda", 2)
    assert settings.time.latency == 0.25
    assert (settings.midi.channel, settings.midi.transpose) == (2, -12)
    assert settings.midi.velocity_curve == "soft"
    assert settings.log.level == "debug"
    assert settings.decoder.density == 0.5


def test_a_scene_and_a_new_address_are_no_settings() -> None:
    request = parse(["panel", "--scene", "Verse", "--renew-address"])
    assert request == Request("panel", (), None, {}, "Verse", True)


@pytest.mark.parametrize("words", [["doctor", "--model", "m"], ["--model", "m", "doctor"]])
def test_a_command_stands_before_or_after_its_options(words: list[str]) -> None:
    assert parse(words) == Request("doctor", (), None, {"model.model": "m"})


@pytest.mark.parametrize(
    ("text", "value"), [("0.3", 0.3), ("300ms", 0.3), ("300 ms", 0.3), ("auto", None)]
)
def test_latency(text: str, value: float | None) -> None:
    assert parse(["--latency", text]).overrides == {"time.latency": value}


@pytest.mark.parametrize(
    ("text", "value"), [("0.7", 0.7), ("1", 1.0), ("intense", "intense"), ("from:a.mid",) * 2]
)
def test_style(text: str, value: str | float) -> None:
    assert parse(["--style", text]).overrides == {"model.style": value}


def test_the_beat() -> None:
    words = "--beat tap --tempo 96.5 --metre 3/4".split()
    wanted = {"beat.source": "tap", "beat.tempo": 96.5, "beat.metre": "3/4"}
    assert parse(words).overrides == wanted
    settings = with_values(Settings(), parse(["--tempo", "auto", "--metre", "auto"]).overrides)
    assert settings.beat == BeatSettings()


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ({"beat.source": "drums"}, ("beat.source", "auto, tap, clock, off", "'drums'")),
        ({"beat.tempo": 500}, ("beat.tempo", "40 to 240", "500")),
        ({"beat.metre": "7/8"}, ("beat.metre", "auto", "3/4", "'7/8'")),
        ({"beat.offset": 2}, ("beat.offset", "-0.5 to 0.5", "2")),
    ],
)
def test_what_is_no_beat(values: dict[str, object], parts: tuple[str, ...]) -> None:
    with refused(ConfigError, *parts):
        with_values(Settings(), values)


def test_a_curve_may_be_a_number() -> None:
    assert parse(["--velocity-curve", "1.3"]).overrides == {"midi.velocity_curve": 1.3}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--latency soon", ("--latency", "time", "'soon'")),
        ("--channel x", ("--channel", "'x'")),
        ("--tempo fast", ("--tempo", "beats a minute", "'fast'")),
        ("--density x", ("--density", "'x'")),
        ("--input", ("--input", "one argument")),
        ("--log-level x", ("--log-level", "'x'")),
        ("--chanel 3", ("--chanel", "did you mean", "--channel")),
        ("--chanel=3", ("--chanel", "did you mean", "--channel")),
        ("--modell x", ("--modell", "did you mean", "--model")),
        ("-q", ("-q",)),
        ("song.wav", ("'song.wav'", "--input song.wav")),
        (
            "devices doctor",
            (
                "'doctor'",
                "play, together, panel, app, learn, calibrate, quantize, score, devices, doctor,"
                " config",
            ),
        ),
        ("learn", ("learn", "setting", "livecover learn model.style")),
        (
            "device",
            (
                "'device'",
                "play, together, panel, app, learn, calibrate, quantize, score, devices, doctor,"
                " config",
            ),
        ),
    ],
)
def test_not_understood(words: str, message: tuple[str, ...]) -> None:
    with refused(ConfigError, *message, "livecover --help"):
        parse(words.split())


def test_help_tells_each_default_and_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = make_parser().format_help()
    assert max(map(len, text.splitlines())) <= 100
    flat = " ".join(text.split())
    defaults = Settings()
    for value in (defaults.audio.input, *defaults.midi.midi_out, defaults.model.model):
        assert f"(default: {value})" in flat


def test_the_short_help_fits_a_screen_and_says_what_is_true() -> None:
    lines = HELP.splitlines()
    assert len(lines) <= 24 and max(map(len, lines)) <= 80
    known = make_parser().format_help()
    assert all(option in known for option in re.findall(r"--[\w-]+", HELP))
    examples = [re.split(r"  +", line.strip())[0] for line in lines if "  livecover" in line]
    assert len(examples) == 3
    for example in examples:
        parse(example.split()[1:])


def test_switches_go_both_ways() -> None:
    assert parse(["--hands"]).overrides == {"play.hands": True}
    assert parse(["--no-hands", "--melody-channel", "auto", "--left-channel", "2"]).overrides == {
        "play.hands": False,
        "midi.melody_channel": None,
        "midi.left_channel": 2,
    }


@pytest.mark.parametrize(
    ("option", "begin"),
    [
        ("--help", "livecover listens to a song"),
        ("--help-all", "usage: livecover"),
        ("--version", "live"),
    ],
)
def test_help_and_version_end_well(
    option: str, begin: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse([option])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith(begin)


def test_some_commands_take_words() -> None:
    learn = parse(["learn", "model.style", "--control", "nano"])
    assert learn == Request("learn", ("model.style",), None, {"control.port": "nano"})
    quantize = parse(["quantize", "a.mid", "--strength", "0.8", "takes", "--steps", "3"])
    assert quantize.words == ("a.mid", "takes")
    assert quantize.overrides == {"record.strength": 0.8, "record.steps": 3}


@pytest.mark.parametrize(("text", "seconds"), [("0.25", 0.25), ("1s", 1.0), ("245ms", 0.245)])
def test_a_time_has_its_unit(text: str, seconds: float) -> None:
    overrides = parse(["--latency", text]).overrides
    assert (
        load_settings(Path(__file__).parents[3] / "config.toml", overrides).time.latency == seconds
    )


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("--latency", "a time, such as 250ms or 0.25s, or auto"),
        ("--tempo", "beats a minute, such as 92, or auto"),
        ("--channel", "a whole number"),
        ("--density", "a number"),
        ("--channels", "channels' numbers, such as 3,4, or auto"),
    ],
)
def test_a_value_that_is_none_says_what_is_expected(option: str, expected: str) -> None:
    with refused(ConfigError, option, expected, "'soon'"):
        parse([option, "soon"])
