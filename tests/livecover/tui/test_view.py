"""Lines that fit any terminal, the roll, keys, and what is refused."""

import io
import threading
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from engine.core.errors import ConfigError
from engine.core.notes import NoteEvent, PedalEvent
from engine.core.tempo import Beat, BeatState, Tempo
from engine.model.latency import LatencyBudget
from engine.signal.meters import Level, Status
from livecover.control.command_queue import CommandQueue
from livecover.instrument.instrument import Instrument
from livecover.settings.sections import Settings, with_values
from livecover.tui.keys import parse_keys
from livecover.tui.roll import ACCOMPANIMENT, MELODY, ONSET, RollTap, grid
from livecover.tui.screen import KeyCommands, check_terminal
from livecover.tui.view import KEYS, ViewState, render_lines

BUDGET = LatencyBudget((("capture block", 0.005), ("half window", 0.064), ("lookahead", 0.13)))
SEEN = ViewState(
    Settings(),
    Status(
        *(61.0, -12.0, 0.199, 0.3, 0.5),
        n_notes=123,
        n_late=2,
        is_connected=True,
        beat=Beat("heard", BeatState.LOCKED, 1.0, Tempo(120.0, 100.0, 9)),
    ),
    BUDGET,
    ("Speakers", "LiveCover", "live 1"),
    True,
    "",
    ((96.0, 99.0, 40, ACCOMPANIMENT), (98.0, 100.0, 72, MELODY)),
    100.0,
    100.0,
    "recording take.mid",
)


@given(st.integers(1, 200), st.integers(1, 60))
@settings(max_examples=40)
def test_lines_fit(width: int, height: int) -> None:
    found = render_lines(SEEN, width, height)
    assert len(found) == height
    assert max(line.cell_len for line in found) <= width


@pytest.mark.parametrize("n", [0, 2])
def test_peers_of_link_are_said(n: int) -> None:
    lines = [line.plain for line in render_lines(replace(SEEN, n_link_peers=n), 80, 24)]
    assert f"Link {n}" in lines[0]
    assert "Link" not in render_lines(SEEN, 80, 24)[0].plain


def test_all_is_said_in_80_by_24() -> None:
    text = "\n".join(line.plain for line in render_lines(SEEN, 80, 24))
    for words in (
        "live 1   ● recording",
        "♩ 120.0  bar 3 ·●··",
        "Speakers → LiveCover",
        " -12 dB",
        "load",
        "199 ms",
        "half window 64",
        "123 notes   2 late",
        "style ──────●────── balanced   density 1   cover, beat   full",
        "q quit",
        "recording take.mid",
    ):
        assert words in text, words


@pytest.mark.parametrize("n_channels", [1, 2, 4, 6, 8])
def test_nothing_is_cut_at_80_columns(n_channels: int) -> None:
    names = ("capture block", "resampler", "half window", "lookahead", "step", "onset peak")
    parts = tuple((name, 0.1234) for name in (*names, "compute", "output"))
    status = replace(SEEN.status, n_dropped=1234, n_overruns=123, n_losses=12, n_midi_losses=3)
    levels = (Level(-30.0, -0.1),) * n_channels
    status = replace(status, levels=levels, load=1.04, max_load=12.5)
    played = with_values(
        Settings(), {"midi.transpose": -12, "midi.octave": 1, "play.mute": True, "play.hands": True}
    )
    state = replace(
        SEEN,
        settings=played,
        status=status,
        budget=LatencyBudget(parts),
        names=("Monitor of Built-in Audio Analog Stereo", "Digital Piano MIDI 1 + take.mid", "m 1"),
        log_line="MIDI port 'Digital Piano MIDI 1' is gone: what is played is not heard until then",
    )
    lines = render_lines(state, 80, 24)
    text = " ".join(" ".join(line.plain for line in lines).split())
    assert "…" not in text and "transpose -12 octave +1 MUTE two hands" in text
    for words in (*KEYS, *(f"{name} 123" for name, _ in parts), "3 port losses", state.log_line):
        assert words in text, words


def test_each_channel_has_a_meter_and_clipping_is_told() -> None:
    levels = (Level(-30.0, -15.0), Level(-60.0, -60.0))
    state = replace(SEEN, status=replace(SEEN.status, levels=levels, is_clipping=True))
    text = "\n".join(line.plain for line in render_lines(state, 80, 24))
    assert "in ██████   ▕                 -15 dB CLIP" in text


def test_the_two_parts_have_two_colours() -> None:
    styles = {str(span.style) for line in render_lines(SEEN, 80, 24) for span in line.spans}
    assert {"dodger_blue1", "dark_orange"} <= styles


def test_what_is_lost_muted_or_idle_is_said() -> None:
    muted = with_values(Settings(), {"play.mute": True, "model.style": [0.1] * 24})
    state = replace(SEEN, settings=muted, status=replace(SEEN.status, is_connected=False))
    text = "\n".join(line.plain for line in render_lines(state, 80, 24))
    assert "waiting for Speakers" in text and "MUTE" in text and "style  own" in text
    full = replace(SEEN, recording_fault="recording has failed: the disk is full")
    assert "✗ recording has failed: the disk" in render_lines(full, 80, 24)[0].plain
    idle = replace(SEEN, names=("", "", ""), budget=LatencyBudget(()), status=Status())
    assert "nothing plays" in render_lines(idle, 80, 24)[1].plain


def test_notes_from_found_to_ended() -> None:
    tap = RollTap()
    on, melody = NoteEvent(0.0, 60, 80), NoteEvent(0.0, 72, 80, "melody")
    tap.found([on, PedalEvent(0.0, True), melody], [10.0, 10.0, 10.5])
    assert tap.spans(5.0, 10.2) == [(10.0, 10.2, 60, ACCOMPANIMENT)]
    tap.found([replace(on, velocity=0)], [11.0])
    assert tap.spans(5.0, 12.0) == [(10.0, 11.0, 60, ACCOMPANIMENT), (10.5, 12.0, 72, MELODY)]
    assert tap.spans(11.5, 12.0) == [(10.5, 12.0, 72, MELODY)]


def test_silence_ends_all_and_drops_what_is_to_come() -> None:
    tap = RollTap()
    tap.found([NoteEvent(0.0, 60, 80), NoteEvent(0.0, 64, 80)], [1.0, 1e12])
    tap.silenced()
    spans = tap.spans(0.0, 2e12)
    assert [(on, pitch) for on, _, pitch, _ in spans] == [(1.0, 60)]
    assert spans[0][1] < 1e12


@given(
    st.lists(
        st.tuples(st.floats(-5, 15), st.floats(0, 5), st.integers(0, 127), st.sampled_from([1, 2])),
        max_size=20,
    ),
    st.integers(1, 100),
    st.integers(1, 40),
)
@settings(max_examples=50)
def test_any_note_fits_the_grid(
    notes: list[tuple[float, float, int, int]], n_columns: int, n_levels: int
) -> None:
    spans = [(on, on + length, pitch, part) for on, length, pitch, part in notes if on <= 10.0]
    cells = grid([s for s in spans if s[1] > 0.0], 0.0, 10.0, n_columns, n_levels)
    assert [len(row) for row in cells] == [n_columns] * n_levels
    assert max(max(row) for row in cells) <= MELODY + ONSET - 1


@given(st.text(st.sampled_from("\x1b[OABCD5~;1aQ\x07é"), max_size=12))
def test_no_sequence_is_too_strange(text: str) -> None:
    keys = parse_keys(text)
    assert len(keys) <= len(text)


def keyboard() -> tuple[KeyCommands, Instrument, CommandQueue, threading.Event, list[str]]:
    told: list[str] = []
    instrument, stop = Instrument(Settings()), threading.Event()
    queue = CommandQueue(instrument, told.append)
    return KeyCommands(instrument, queue, stop), instrument, queue, stop, told


@pytest.mark.parametrize(
    ("keys", "key", "value"),
    [
        (["1"], "model.style", "calm"),
        (["3", "right"], "model.style", 1.0),
        (["left", "left"], "model.style", 0.4),
        (["up"] * 4, "decoder.density", 2.0),
        (["down"] * 40, "decoder.density", 0.1),
        (["a", "a"], "play.parts", "melody"),
        (["c"], "play.mode", "accompany"),
        (["m"], "play.mute", True),
        (["d"], "play.hands", True),
        (["-", "-", "+"], "midi.transpose", -1),
        (["="] * 60, "midi.transpose", 48),
        ([">", "<", "<"], "midi.octave", -1),
        (["h", "h"], "play.hold", False),
        (["h", "p"], "play.hold", False),
        ([".", ".", ","], "beat.offset", 0.01),
    ],
)
def test_keys(keys: list[str], key: str, value: object) -> None:
    board, instrument, queue, _, _ = keyboard()
    for name in keys:
        queue.run_pending() if name == "p" else None
        board.handle(name)
    queue.run_pending()
    section, _, name = key.partition(".")
    assert getattr(getattr(instrument.settings, section), name) == pytest.approx(value)


def test_other_keys() -> None:
    board, _, queue, stop, told = keyboard()
    for key in ("x", "é", "r"):
        board.handle(key)
    queue.run_pending()
    assert told == ["takes cannot be recorded here: start livecover with --record FOLDER"]
    board.handle("q")
    assert stop.is_set()


def test_space_starts_and_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    board, instrument, queue, *_ = keyboard()
    said: list[str] = []
    monkeypatch.setattr(instrument, "start", lambda: said.append("start"))
    board.handle(*parse_keys(" "))
    queue.run_pending()
    assert said == ["start"]


def test_keys_correct_the_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    board, instrument, *_ = keyboard()
    said: list[str] = []
    monkeypatch.setattr(
        instrument.song, "correct_beat", lambda correction, host_time: said.append(correction)
    )
    for key in "t[]o":
        board.handle(key)
    assert said == ["tap", "halve", "double", "one"]


def test_where_no_beat_is_a_key_says_so(caplog: pytest.LogCaptureFixture) -> None:
    board, *_ = keyboard()
    board.handle("t")
    assert "nothing plays" in caplog.text


def test_what_is_no_terminal() -> None:
    with pytest.raises(ConfigError, match="--tui needs a terminal"):
        check_terminal(Console(file=io.StringIO()))


def test_an_accompanist_says_what_it_does_and_a_latency_below_zero_has_no_bar() -> None:
    budget = LatencyBudget((("song", 0.01), ("ahead", -0.02)))
    status = replace(SEEN.status, accompanist="listening")
    lines = render_lines(replace(SEEN, status=status, budget=budget), 80, 24)
    text = "\n".join(line.plain for line in lines)
    assert "live 1   ● recording   listening" in text
    assert "-10 ms  song 10 ahead -20" in text
