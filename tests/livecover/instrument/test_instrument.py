"""The instrument, with an engine on scripted sources."""

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.core.errors import ConfigError, DeviceError, StoppedError
from engine.core.settings import EngineSettings
from engine.core.taps import Tap
from engine.core.tempo import Tempo
from engine.live.engine import Engine
from livecover.instrument.instrument import Instrument
from livecover.settings.sections import Settings
from livecover.settings.source import load_settings
from tests.engine.fakes import CollectingSink, ListeningTap, ScriptedSource, make_pipeline, sound
from tests.messages import refused


class Stage:
    """An instrument and what it plays with; ``sources`` are opened in turn."""

    def __init__(self, *sources: ScriptedSource) -> None:
        self.sources = list(sources)
        self.sinks: list[CollectingSink] = []
        overrides = {"time.late_tolerance": 10.0, "time.backlog": 20.0, "audio.ring": 20.0}
        self.instrument = Instrument(load_settings(None, overrides), open_engine=self._open)
        self.changes: list[Settings] = []
        self.instrument.subscribe(lambda: self.changes.append(self.instrument.settings))

    def _open(self, settings: EngineSettings, taps: Sequence[Tap]) -> Engine:
        return Engine(
            settings,
            taps,
            open_source=lambda text, audio: self.sources.pop(0),
            open_pipeline=lambda model: make_pipeline(),
            open_beat=lambda *_: None,
            open_sink=lambda names, already: self._open_sink(),
        )

    def _open_sink(self) -> CollectingSink:
        self.sinks.append(CollectingSink())
        return self.sinks[-1]

    @property
    def sink(self) -> CollectingSink:
        """The one that was opened last."""
        return self.sinks[-1]


def test_it_plays_stops_and_plays_again() -> None:
    first, second = ScriptedSource(), ScriptedSource()
    stage, tap = Stage(first, second), ListeningTap()
    stage.instrument.add_tap(tap)
    for source in (first, second):
        assert not stage.instrument.is_playing
        stage.instrument.start()
        stage.instrument.start()
        assert stage.instrument.is_playing and stage.instrument.source_name
        source.play(sound(1.0, (0.2, 0.4)))
        source.finish()
        while not stage.instrument.wait(1.0):
            pass
    for sink in stage.sinks:
        assert [event.velocity > 0 for event in sink.notes] == [True, False]
    assert len(stage.sinks) == 2
    assert len(tap.begun) == 2
    assert stage.instrument.status().n_notes == 0
    assert stage.instrument.budget.total == 0 and stage.instrument.sink_name == ""


def test_changes_are_kept_when_idle_and_heard_when_playing() -> None:
    source = ScriptedSource()
    stage = Stage(source)
    stage.instrument.change({"midi.transpose": 2})
    stage.instrument.start()
    stage.instrument.change({"midi.transpose": 3, "model.style": "intense"})
    with pytest.raises(ConfigError, match="has no style 'wild'"):
        stage.instrument.change({"midi.transpose": 9, "model.style": "wild"})
    source.play(sound(1.0, (0.2, 0.4)))
    source.finish()
    while not stage.instrument.wait(1.0):
        pass
    assert stage.sink.notes[0].pitch == 63
    assert stage.instrument.settings.midi.transpose == 3
    assert stage.changes[0].midi.transpose == 2


def test_a_beat_is_corrected_where_something_plays_with_a_beat() -> None:
    source = ScriptedSource()
    stage = Stage(source)
    with refused(ConfigError, "nothing plays", "start"):
        stage.instrument.song.correct_beat("tap", 0.0)
    stage.instrument.song.set_tempo(Tempo(90.0, 0.0))
    stage.instrument.start()
    with refused(ConfigError, "--beat auto"):  # the stage opens none
        stage.instrument.song.correct_beat("tap", 0.0)
    stage.instrument.song.set_tempo(None)
    stage.instrument.stop()


def test_a_beat_that_a_monitor_plays_later_is_tapped_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage, told = Stage(ScriptedSource()), []
    stage.instrument.start()
    engine = stage.instrument.engine
    assert engine is not None
    monkeypatch.setattr(engine, "correct_beat", lambda correction, at: told.append(at))
    stage.instrument.song.correct_beat("tap", 10.0)
    stage.instrument.change({"monitor.device": "wall"})
    assert stage.instrument.song.delay == engine.budget.total
    stage.instrument.song.correct_beat("tap", 10.0)
    assert told == [10.0, 10.0 - engine.budget.total]
    stage.instrument.stop()


def test_what_cannot_start_says_so_and_stays_idle() -> None:
    stage = Stage(ScriptedSource(fails_to_start=True, name="mic"))
    with pytest.raises(DeviceError, match="mic does not start"):
        stage.instrument.start()
    assert not stage.instrument.is_playing


def test_panic_ends_notes_and_lets_go_of_the_pedal() -> None:
    source = ScriptedSource()
    stage = Stage(source)
    stage.instrument.change({"play.hold": True})
    stage.instrument.start()
    source.play(sound(1.0, (0.2, 1.0)))
    assert stage.sink.has(2)
    stage.instrument.panic()
    assert stage.sink.has(4)
    assert stage.sink.n_panics == 1
    assert not stage.instrument.settings.play.hold
    stage.instrument.stop()
    stage.instrument.stop()


def test_a_wait_ends_its_own_engine_and_no_later_one() -> None:
    first, second = ScriptedSource(), ScriptedSource()
    stage = Stage(first, second)
    stage.instrument.start()
    engine = stage.instrument.engine
    assert engine is not None
    wait = engine.wait

    def wait_while_another_starts(timeout: float | None = None) -> bool:
        stage.instrument.stop()
        stage.instrument.start()
        return wait(timeout)

    engine.wait = wait_while_another_starts  # type: ignore[method-assign]
    assert not stage.instrument.wait(20.0)
    assert stage.instrument.is_playing and second.is_running
    assert not stage.instrument.has_ended
    stage.instrument.stop()


def test_a_change_after_the_end_counts_from_the_next_start() -> None:
    first, second = ScriptedSource(), ScriptedSource()
    stage = Stage(first, second)
    stage.instrument.start()
    first.finish()
    assert stage.instrument.engine is not None and stage.instrument.engine.wait(20.0)
    stage.instrument.change({"midi.transpose": 3})
    assert stage.instrument.wait(20.0)
    stage.instrument.start()
    assert stage.instrument.engine.settings.midi.transpose == 3
    stage.instrument.stop()


class Door:
    """Lets a thread in once a test says so."""

    def __init__(self) -> None:
        self.is_reached, self.may_pass = threading.Event(), threading.Event()

    def __call__(self, source: ScriptedSource) -> None:
        self.is_reached.set()
        assert self.may_pass.wait(20.0)


def test_stop_does_not_wait_for_a_start_and_what_started_is_stopped() -> None:
    door = Door()
    source = ScriptedSource(door)
    stage = Stage(source)
    raised: list[StoppedError] = []

    def start() -> None:
        try:
            stage.instrument.start()
        except StoppedError as error:
            raised.append(error)

    starting = threading.Thread(target=start, daemon=True)
    starting.start()
    assert door.is_reached.wait(20.0)
    stage.instrument.stop()
    door.may_pass.set()
    starting.join(20.0)
    assert str(raised[0]) == "it was stopped before it had started; start again"
    assert not source.is_running and not stage.instrument.is_playing


def test_panic_and_the_way_out_wait_for_no_change() -> None:
    door = Door()
    first = ScriptedSource(lambda source: source.play(sound(1.0, (0.2, 1.0))))
    stage = Stage(first, ScriptedSource(door))
    stage.instrument.change({"play.hold": True})
    stage.instrument.start()
    assert stage.sink.has(2)  # the pedal and the note
    change = {"audio.input": "other"}
    changing = threading.Thread(target=stage.instrument.change, args=(change,), daemon=True)
    changing.start()
    assert door.is_reached.wait(20.0)
    has_let_go = threading.Event()
    stage.instrument.subscribe(
        lambda: None if stage.instrument.settings.play.hold else has_let_go.set()
    )
    stage.instrument.panic()
    assert stage.sink.has(4)
    assert stage.sink.n_panics == 1
    assert not door.may_pass.is_set() and not has_let_go.is_set()
    stage.instrument.stop()
    assert stage.sink.n_closed == 1
    door.may_pass.set()
    changing.join(20.0)
    assert has_let_go.wait(20.0)


def test_only_what_hands_have_changed_is_saved(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("# mine\n[midi]\ntranspose = 2\n", encoding="utf-8")
    once = {"audio.input": "song.mp3", "midi.midi_out": ["take.mid"], "log.level": "debug"}
    instrument = Instrument(load_settings(path, once), path)
    assert instrument.unsaved() == (path, ())
    instrument.change({"midi.transpose": 5, "play.mute": True})
    instrument.change({"control.map": {"cc 7": "decoder.density"}})
    instrument.change({"control.map": {"cc 1": "none"}, "play.mute": False})
    assert [line.name for line in instrument.unsaved().lines] == [
        "midi.transpose",
        'control.map."cc 1"',
        'control.map."cc 7"',
    ]
    assert instrument.save() == path
    assert path.read_text(encoding="utf-8") == (
        "# mine\n[midi]\ntranspose = 5\n\n"
        '[control.map]\n"cc 1" = "none"\n"cc 7" = "decoder.density"\n'
    )
    assert instrument.unsaved().lines == ()


def test_an_option_that_a_hand_comes_back_to_is_not_saved(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[midi]\ntranspose = 2\n", encoding="utf-8")
    instrument = Instrument(load_settings(path, {"model.style": "calm"}), path)
    instrument.change({"model.style": 0.7, "midi.transpose": 5})
    instrument.change({"model.style": "calm"})  # as snapshot A does
    assert [line.name for line in instrument.unsaved().lines] == ["midi.transpose"]
    instrument.save()
    instrument.change({"midi.transpose": 2})  # as at the start, and no longer as in the file
    assert instrument.unsaved().lines == (("midi.transpose", "5", "2"),)
    instrument.save()
    assert path.read_text(encoding="utf-8") == "[midi]\ntranspose = 2\n"


def test_an_option_that_a_hand_changes_is_saved(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    instrument = Instrument(load_settings(None, {"model.style": "calm"}), path)
    path.touch()
    instrument.change({"model.style": 0.7})
    instrument.save()
    assert "style = 0.7" in path.read_text(encoding="utf-8")
