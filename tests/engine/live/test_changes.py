"""Changes while the engine plays: its real threads, on scripted sources."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.opening import AudioSource
from engine.core.errors import ConfigError, DeviceError, MidiError, StoppedError
from engine.core.notes import PedalEvent, Posteriors, notes_of
from engine.core.settings import (
    AudioSettings,
    BeatSettings,
    MidiSettings,
    ModelSettings,
    PlaySettings,
    TimeSettings,
)
from engine.core.taps import Tap
from engine.core.tempo import Beat, BeatState, Tempo
from engine.live.engine import Engine
from engine.midi.sinks import MidiSink
from engine.perform.performer import Performer
from tests.engine.beat.band import clicks, make_follower
from tests.engine.fakes import (
    JITTER,
    PITCH,
    PROMISED,
    SETTINGS,
    CollectingSink,
    ListeningTap,
    ScriptedSource,
    make_pipeline,
    model_of,
    sound,
)
from tests.messages import refused


class Band:
    """An engine whose sources and sinks are named by its settings."""

    def __init__(self, *names: str) -> None:
        self.sources = {name: ScriptedSource(name=name) for name in names}
        self.sinks: dict[str, CollectingSink] = {}
        self.pipelines = {"live": make_pipeline(), "other": make_pipeline()}
        self.tap = ListeningTap()
        self.engine = Engine(
            replace(SETTINGS, audio=replace(SETTINGS.audio, input=names[0])),
            [self.tap],
            open_source=self._source,
            open_pipeline=lambda model: self.pipelines[model.model],
            open_beat=lambda beat, _: None if beat.source == "off" else make_follower(),
            open_sink=self._sink,
        )

    def change(self, **sections: object) -> None:
        self.engine.change(replace(self.engine.settings, **sections))  # type: ignore[arg-type]

    def _source(self, text: str, audio: AudioSettings) -> AudioSource:
        if text not in self.sources:
            raise DeviceError(f"no input {text}")
        return self.sources[text]

    def _sink(self, names: Sequence[str], already: Sequence[MidiSink]) -> MidiSink:
        if names[0] == "broken":
            raise MidiError("no port broken")
        return self.sinks.setdefault(names[0], CollectingSink())

    def hear(self, name: str, *loud: tuple[float, float], seconds: float = 1.0) -> None:
        self.sources[name].play(sound(seconds, *loud))

    def end(self, name: str) -> None:
        self.sources[name].finish()
        assert self.engine.wait(20.0)


def test_another_input_is_passed_over_to_and_notes_end() -> None:
    band = Band("one", "two")
    with band.engine:
        band.hear("one", (0.2, 1.0))
        assert band.sinks["LiveCover"].has(1)
        band.change(audio=AudioSettings(input="two", ring=20.0))
        assert band.engine.source.name == "two"
        assert band.sources["one"].has_stopped.is_set()
        band.hear("two", (0.2, 0.4))
        band.end("two")
    events = [event for event, _, _ in band.tap.sent_events]
    assert [event.velocity > 0 for event in notes_of(events)] == [True, False, True, False]
    assert band.tap.begun == [0.5, 0.5]


def test_gain_counts_at_once_and_opens_nothing() -> None:
    band = Band("one")
    heard: list[float] = []

    class Peaks(Tap):
        def audio(self, block: NDArray[np.float32], time: float, host_time: float) -> None:
            heard.append(float(np.abs(block).max(initial=0.0)))

    with band.engine:
        band.engine.add_tap(Peaks())
        band.change(audio=replace(band.engine.settings.audio, gain_db=-20.0))
        band.hear("one", (0.3, 0.6))
        band.end("one")
        assert band.engine.source is band.sources["one"] and len(band.tap.begun) == 1
    loudest = float(np.abs(sound(1.0, (0.3, 0.6))).max())
    assert max(heard) == pytest.approx(loudest / 10, rel=1e-4)


def test_an_input_that_is_not_there_changes_nothing() -> None:
    band = Band("one")
    with band.engine:
        with pytest.raises(DeviceError, match="no input three"):
            band.change(audio=AudioSettings(input="three", ring=20.0))
        band.hear("one", (0.2, 0.4))
        band.end("one")
        assert band.engine.status().n_notes == 1


def test_an_output_that_cannot_be_opened_changes_nothing() -> None:
    band = Band("one")
    with band.engine:
        with pytest.raises(MidiError, match="no port broken"):
            band.change(midi=MidiSettings(midi_out=("broken",)))
        band.hear("one", (0.2, 0.4))
        band.end("one")
    assert len(band.sinks["LiveCover"].events) == 2


def test_what_the_port_takes_is_in_the_latency(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CollectingSink, "latency", 0.01)
    band = Band("one")
    free = replace(SETTINGS.time, latency=None)
    with band.engine:
        band.change(time=free)
        least = band.engine.budget.total
        assert dict(band.engine.budget.parts)["MIDI graph"] == 0.01
        monkeypatch.setattr(CollectingSink, "latency", 0.02)
        band.change(time=free, midi=MidiSettings(midi_out=("piano",)))
        assert band.engine.budget.total == pytest.approx(least + 0.01)
        band.end("one")


def test_a_latency_without_room_for_the_port_is_refused_and_the_port_closed() -> None:
    sink = CollectingSink()
    sink.latency = 10.0
    with refused(ConfigError, "time.latency", "at least"):
        Engine(
            replace(SETTINGS, time=TimeSettings(latency=1.0)),
            open_source=lambda text, audio: ScriptedSource(),
            open_pipeline=lambda model: make_pipeline(),
            open_beat=lambda beat, _: None,
            open_sink=lambda names, already: sink,
        )
    assert sink.n_closed == 1


def test_another_output_takes_over_and_the_old_one_ends() -> None:
    band = Band("one")
    with band.engine:
        band.hear("one", (0.2, 1.0))
        assert band.sinks["LiveCover"].has(1)
        band.change(midi=MidiSettings(midi_out=("piano",)))
        assert band.sinks["LiveCover"].n_closed == 1
        assert len(band.tap.sent_events) == 2  # a tap hears of the end too
        band.hear("one", (0.2, 0.4))
        band.end("one")
    assert [event.velocity > 0 for event in band.sinks["LiveCover"].notes] == [True, False]
    assert [event.velocity > 0 for event in band.sinks["piano"].notes] == [True, False]


def test_another_model_hears_what_comes() -> None:
    band = Band("one")
    with band.engine:
        band.hear("one", (0.2, 0.4))
        assert band.sinks["LiveCover"].has(2)
        band.change(model=ModelSettings(model="other"))
        band.hear("one", (0.2, 0.4))
        band.end("one")
    assert model_of(band.pipelines["other"]).heard
    times = [event.time for event, _, _ in band.tap.sent_events]
    assert times[2] == pytest.approx(1.2, abs=0.02)


@pytest.mark.parametrize(("n_frames", "n_flushed"), [(0, 0), (90, 1)], ids=["sooner", "later"])
def test_what_a_model_still_holds_is_played_unless_the_next_one_answers_sooner(
    n_frames: int, n_flushed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    band = Band("one")
    for name, lookahead in (("live", 40), ("other", n_frames)):
        model = model_of(band.pipelines[name])
        monkeypatch.setattr(model, "spec", replace(model.spec, lookahead_frames=lookahead))
    flushed: list[str] = []
    old = model_of(band.pipelines["live"])
    flush = old.flush

    def flush_and_tell(style: NDArray[np.float32]) -> Posteriors:
        flushed.append("live")
        return flush(style)

    monkeypatch.setattr(old, "flush", flush_and_tell)
    time = replace(SETTINGS.time, latency=None)  # what each model needs
    settings = replace(SETTINGS, audio=AudioSettings(input="one", ring=20.0), time=time)
    engine = Engine(
        settings,
        open_source=band._source,
        open_pipeline=lambda model: band.pipelines[model.model],
        open_sink=band._sink,
    )
    with engine:
        band.hear("one", (0.2, 1.0))
        assert band.sinks["LiveCover"].has(1)
        engine.change(replace(engine.settings, model=ModelSettings(model="other")))
        assert len(flushed) == n_flushed
        assert band.sinks["LiveCover"].has(2)  # the note has ended, whoever comes next
        band.sources["one"].finish()
        assert engine.wait(20.0)


def test_style_latency_and_key_count_from_the_next_step() -> None:
    band = Band("one")
    with band.engine:
        with pytest.raises(ConfigError, match="has no style 'wild'"):
            band.change(model=ModelSettings(style="wild"))
        with refused(ConfigError, "time.latency", "at least"):
            band.change(time=TimeSettings(latency=0.01))
        band.change(
            model=ModelSettings(style="intense"),
            midi=MidiSettings(transpose=3),
            time=replace(SETTINGS.time, latency=0.75),
        )
        band.hear("one", (0.2, 0.4))
        band.end("one")
        assert band.engine.status().latency == pytest.approx(0.75)
    assert set(model_of(band.pipelines["live"]).styles) == {1.0}
    assert band.sinks["LiveCover"].notes[0].pitch == PITCH + 3
    assert [latency for _, latency in band.tap.changes] == [0.75]


def test_mute_silences_at_once() -> None:
    band = Band("one")
    with band.engine:
        band.hear("one", (0.2, 1.0))
        sink = band.sinks["LiveCover"]
        assert sink.has(1)
        band.change(play=PlaySettings(mute=True))
        assert sink.has(2)
        assert "silenced" in band.tap.calls
        band.hear("one", (0.2, 0.4))
        band.end("one")
    assert [event.velocity > 0 for event in sink.notes] == [True, False]


def test_hold_keeps_the_pedal_down_and_stop_lifts_it() -> None:
    band = Band("one")
    with band.engine:
        band.change(play=PlaySettings(hold=True))
        assert band.sinks["LiveCover"].has(1)
    pedals = [event for event in band.sinks["LiveCover"].events if isinstance(event, PedalEvent)]
    assert [pedal.is_down for pedal in pedals] == [True, False]


def test_a_change_before_the_start_is_in_force() -> None:
    band = Band("one", "two")
    band.change(audio=AudioSettings(input="two", ring=20.0), midi=MidiSettings(midi_out=("piano",)))
    assert band.sinks["LiveCover"].events == [] and band.sinks["LiveCover"].n_closed == 1
    with band.engine:
        band.hear("two", (0.2, 0.4))
        band.end("two")
        assert band.engine.status().n_notes == 1


def test_a_lost_input_heals_when_another_is_chosen() -> None:
    band = Band("one", "two")
    with band.engine:
        band.sources["one"].lose("one is gone")
        del band.sources["one"]
        band.change(audio=AudioSettings(input="two", ring=20.0))
        band.hear("two", (0.2, 0.4))
        band.end("two")
        assert band.engine.status().n_notes == 1


def test_taps_hear_audio_with_its_place_and_moment() -> None:
    band = Band("one")
    with band.engine:
        band.hear("one")
        band.end("one")
    assert sum(n for n, _, _ in band.tap.blocks) == 1000
    assert [time for _, time, _ in band.tap.blocks][0] == 0.0
    first, later = band.tap.blocks[0], band.tap.blocks[-1]
    assert later[2] - first[2] == pytest.approx(later[1] - first[1], abs=1e-3)
    assert band.tap.calls[-1] == "close"


def test_a_tap_that_fails_hears_no_more(caplog: pytest.LogCaptureFixture) -> None:
    band = Band("one")

    class Broken(ListeningTap):
        def audio(self, *_: object) -> None:
            raise ValueError("oh")

    band.engine.add_tap(Broken())
    with band.engine:
        band.hear("one", (0.2, 0.4))
        band.end("one")
        assert band.engine.status().n_notes == 1
    assert "Broken failed and is removed" in caplog.text


def test_a_tap_that_comes_while_playing_hears_of_the_source_first() -> None:
    band, late = Band("one"), ListeningTap()
    with band.engine:
        band.engine.add_tap(late)
        assert late.begun == [0.5]
        band.hear("one", (0.2, 0.4))
        band.end("one")
    assert len(late.found_events) == 2


def one_note(path: Path) -> Path:
    """Write a MIDI file of one note."""
    file = mido.MidiFile()
    note = dict(note=60, velocity=64)
    file.tracks.append(
        mido.MidiTrack(
            [mido.Message("note_on", **note), mido.Message("note_off", time=480, **note)]
        )
    )
    file.save(path)
    return path


def test_a_style_is_read_once_and_its_file_may_go(tmp_path: Path) -> None:
    path = one_note(tmp_path / "style.mid")
    band = Band("one")
    with band.engine:
        prepare = band.engine._opener.prepare

        def prepare_and_lose(*arguments: object) -> object:
            prepared = prepare(*arguments)  # type: ignore[arg-type]
            path.unlink()
            return prepared

        band.engine._opener.prepare = prepare_and_lose  # type: ignore[method-assign, assignment]
        band.change(model=ModelSettings(style=f"from:{path}"))
        band.hear("one", (0.2, 0.4))
        band.end("one")
        assert band.engine.status().n_notes == 1
    assert band.pipelines["live"].style.any()


def test_what_a_change_raises_reaches_the_caller_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    band = Band("one")
    with band.engine:
        before = band.engine.settings

        def fail(*_: object) -> None:
            raise RuntimeError("no such key")

        monkeypatch.setattr(Performer, "change", fail)
        with pytest.raises(RuntimeError, match="no such key"):
            band.change(midi=MidiSettings(transpose=3), model=ModelSettings(style="intense"))
        assert band.engine.settings is before
        band.hear("one", (0.2, 0.4))
        band.end("one")
    assert set(model_of(band.pipelines["live"]).styles) == {0.0}
    assert band.sinks["LiveCover"].notes[0].pitch == PITCH


def test_what_was_opened_for_a_change_that_fails_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    band = Band("one", "two")
    with band.engine:

        def fail(change: object) -> None:
            raise RuntimeError("not now")

        monkeypatch.setattr(band.engine._worker, "apply", fail)
        with pytest.raises(RuntimeError, match="not now"):
            band.change(
                audio=AudioSettings(input="two", ring=20.0), midi=MidiSettings(midi_out=("piano",))
            )
        assert band.sources["two"].has_stopped.is_set() and not band.sources["two"].is_running
        assert band.sinks["piano"].n_closed == 1
        assert band.sinks["LiveCover"].n_closed == 0
        band.hear("one", (0.2, 0.4))
        band.end("one")
    assert len(band.sinks["LiveCover"].events) == 2


@pytest.mark.parametrize("how", ["its end", "stop"])
def test_a_change_when_the_music_is_over_is_refused_and_leaves_nothing_open(how: str) -> None:
    band = Band("one", "two")
    with band.engine:
        if how == "stop":
            band.engine.stop()
        else:
            band.end("one")
        with pytest.raises(StoppedError, match="nothing plays any more"):
            band.change(
                audio=AudioSettings(input="two", ring=20.0), midi=MidiSettings(midi_out=("piano",))
            )
        assert band.engine.settings.audio.input == "one"
        assert not band.sources["two"].is_running
        assert band.sinks["piano"].n_closed == 1


def test_stop_in_the_middle_of_a_change_waits_for_nothing_and_leaves_nothing_open() -> None:
    band = Band("one", "two")
    is_opening, may_open = threading.Event(), threading.Event()
    open_source = band.engine._opener._open_source
    raised: list[BaseException] = []

    def open_slowly(text: str, audio: AudioSettings) -> AudioSource:
        is_opening.set()
        assert may_open.wait(20.0)
        return open_source(text, audio)

    def change() -> None:
        try:
            band.change(audio=AudioSettings(input="two", ring=20.0))
        except StoppedError as error:
            raised.append(error)

    band.engine.start()
    band.engine._opener._open_source = open_slowly
    changing = threading.Thread(target=change, daemon=True)
    changing.start()
    assert is_opening.wait(20.0)
    band.engine.stop()
    may_open.set()
    changing.join(20.0)
    assert len(raised) == 1
    assert not band.sources["two"].is_running and not band.sources["one"].is_running


def test_a_change_is_refused_while_the_last_notes_are_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    band = Band("one")
    band.change(time=replace(SETTINGS.time, latency=60.0))
    is_draining = threading.Event()
    drain = band.engine._scheduler.drain

    def watched_drain(timeout: float) -> bool:
        is_draining.set()
        return drain(timeout)

    monkeypatch.setattr(band.engine._scheduler, "drain", watched_drain)
    with band.engine:
        band.hear("one", (0.2, 0.4))
        band.sources["one"].finish()
        assert is_draining.wait(20.0)
        with pytest.raises(StoppedError):
            band.change(midi=MidiSettings(transpose=3))


def test_the_latency_is_one_constant_whatever_the_device_says_later() -> None:
    band = Band("one", "two")
    band.change(time=TimeSettings(late_tolerance=10.0, backlog=20.0))
    band.sources["one"].latency_when_open = 0.05
    band.sources["two"].latency_when_open = 0.08
    others = band.engine.budget.total - PROMISED
    with band.engine:
        opened = band.engine.budget.total
        assert opened == pytest.approx(others + 0.05)  # what it promised was less
        assert band.tap.begun == [opened]
        band.sources["one"].latency = 0.12  # after a hiccup
        band.change(model=ModelSettings(style="intense"))
        band.change(midi=MidiSettings(transpose=3))
        band.change(time=TimeSettings(late_tolerance=9.0, backlog=20.0))
        assert band.engine.budget.total == opened
        band.change(audio=AudioSettings(input="two", ring=20.0))
        assert band.engine.status().latency == pytest.approx(others + 0.08)
        band.change(time=TimeSettings(output_allowance=0.015))
        assert band.engine.status().latency == pytest.approx(others + 0.09)


def test_a_device_that_opens_slower_than_the_latency_asked_for_is_refused() -> None:
    band = Band("one", "two")
    band.sources["one"].latency_when_open = band.sources["two"].latency_when_open = 0.6
    with refused(ConfigError, "time.latency", "at least"):
        band.engine.start()
    assert not band.sources["one"].is_running

    band = Band("one", "two")
    band.sources["two"].latency_when_open = 0.6
    with band.engine:
        with refused(ConfigError, "time.latency", "at least"):
            band.change(audio=AudioSettings(input="two", ring=20.0))
        assert not band.sources["two"].is_running
        assert band.engine.budget.total == 0.5


def test_the_beat_is_told_in_host_times_and_may_be_switched_on_and_off() -> None:
    band, times = Band("one"), np.arange(0.3, 30.0, 0.48)
    source = band.sources["one"]
    with band.engine:
        source.play(clicks(times, 8.0)[:1000])
        band.change(beat=BeatSettings())
        source.play(clicks(times, 8.0)[1000:])
        assert band.tap.is_locked.wait(20.0)
        band.change(beat=BeatSettings(source="off"))
        assert band.engine.status().beat == Beat()
        band.end("one")
    locked = [beat for beat in band.tap.beats if beat.state is BeatState.LOCKED]
    for beat in locked:
        assert beat.tempo is not None
        at = beat.tempo.beat_at - source.begun + source.latency
        assert np.abs(times - at).min() < 0.025 + JITTER
    assert band.tap.beats[-1] == Beat()


def test_a_player_tells_the_beat_in_host_times() -> None:
    band = Band("one")
    source = band.sources["one"]
    with band.engine:
        band.change(beat=BeatSettings(source="tap"))
        source.play(sound(0.1))
        for at in (1.0, 1.6, 2.2):
            band.engine.correct_beat("tap", source.begun - source.latency + at)
        source.play(sound(0.1))
        band.end("one")
        tempo = band.engine.status().beat.tempo
        band.engine.correct_beat("halve", 0.0)  # when all is over: nothing
    assert tempo is not None
    assert tempo.bpm == pytest.approx(100.0)
    beats = (tempo.beat_at - source.begun + source.latency - 1.0) / 0.6
    assert beats == pytest.approx(round(beats), abs=0.02)


def test_a_sequencer_tells_the_beat_in_host_times() -> None:
    band = Band("one")
    source = band.sources["one"]
    with band.engine:
        band.change(beat=BeatSettings(source="clock"))
        source.play(sound(0.1))
        beat_at = source.begun - source.latency + 5.0
        band.engine.sequence(Tempo(90.0, beat_at, 3, 4))
        source.play(sound(0.1))
        band.end("one")
        beat = band.engine.status().beat
    assert beat.source == "clock"
    assert beat.tempo is not None
    assert beat.tempo.beat_of(beat_at) == pytest.approx(3.0, abs=0.02)


def test_a_beat_that_is_off_cannot_be_corrected() -> None:
    band = Band("one")
    with band.engine, refused(ConfigError, "beat", "off", "--beat auto"):
        band.engine.correct_beat("tap", 0.0)
