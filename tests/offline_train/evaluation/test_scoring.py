"""A tiny model evaluated through the engine: its table, its page, its tuning and its styles."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from engine.core.errors import ConfigError, ModelError
from engine.core.notes import NoteEvent, Posteriors
from engine.core.settings import (
    AudioSettings,
    DecoderSettings,
    EngineSettings,
    MidiSettings,
    ModelSettings,
    PlaySettings,
)
from engine.whole_song.cover import cover_file
from models.spec import Decoding
from offline_train.evaluation import EvaluateConfig, RungResult, evaluate
from offline_train.evaluation.measures.transcription import cells_of_notes
from offline_train.evaluation.report import save_page
from offline_train.evaluation.songs.reference_song import SAMPLE_RATE
from offline_train.evaluation.songs.rungs import read_reference_song
from offline_train.evaluation.style_figure import draw_styles, measure_styles, style_table
from offline_train.evaluation.systems import decode, events_to_notes
from offline_train.evaluation.tuning import (
    Search,
    TuningExample,
    tune_frames,
    tune_length,
    tune_onsets,
    tune_restrike,
)
from tests.offline_train.fixtures import write_song

EASY = EngineSettings(decoder=DecoderSettings().resolved(Decoding(0.1, 0.2, 0.1, 0.1)))


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> EvaluateConfig:
    """A folder with a song and its cover, a song alone, and a file that is no sound."""
    base = tmp_path_factory.mktemp("evaluate")
    folder = write_song(base / "one")
    time = np.arange(8 * SAMPLE_RATE) / SAMPLE_RATE
    sound = 0.3 * np.sin(2 * np.pi * 220 * time) * (np.floor(time / 0.25) % 2)
    for name in ("one.wav", "two.wav"):
        soundfile.write(folder / name, sound, SAMPLE_RATE)
    (folder / "three.wav").write_bytes(b"no sound")
    return EvaluateConfig(base, base / "cache", rung="folder", excerpt_s=2.0, recordings=folder)


@pytest.fixture(scope="module")
def result(config: EvaluateConfig, tiny_stateful_path: Path) -> RungResult:
    return evaluate(
        tiny_stateful_path,
        config,
        EASY,
        against=tiny_stateful_path,
        baselines=["human"],
        with_qmax=False,
    )


def test_the_columns(result: RungResult) -> None:
    names = ["tiny, streamed", "tiny, whole file", "before: tiny, streamed", "human"]
    assert list(result.systems) == names
    assert result.streamed is result.systems["tiny, streamed"]
    timing = [result.systems[name].figures.get("latency_ms") for name in names]
    assert timing[0] == timing[2] and timing[0] is not None
    assert timing[1] is None and timing[3] is None


def test_streaming_plays_what_the_whole_file_plays(result: RungResult) -> None:
    streamed, whole = (result.systems[name].each for name in list(result.systems)[:2])
    assert streamed["one.wav"]["notes_a_second"] > 0
    for name, figures in whole.items():
        assert figures == pytest.approx(
            {k: v for k, v in streamed[name].items() if not k.endswith("_ms")}, abs=1e-3
        )


def test_it_plays_as_the_program_does(
    result: RungResult, config: EvaluateConfig, tiny_stateful_path: Path, tmp_path: Path
) -> None:
    hands = replace(EASY, play=PlaySettings(hands=True))
    other = evaluate(
        tiny_stateful_path, config, hands, baselines=["human"], paths=["streamed"], with_qmax=False
    )
    assert "play.hands = True" in other.playing
    assert "play.hands = True" not in result.playing
    before, after = (r.streamed.each["one.wav"]["notes_a_second"] for r in (result, other))
    assert 0 < after < before
    song = read_reference_song(config, "one.wav")
    soundfile.write(tmp_path / "song.wav", song.samples, SAMPLE_RATE, "FLOAT")
    settings = replace(
        hands,
        model=ModelSettings(model=str(tiny_stateful_path)),
        audio=AudioSettings(input=str(tmp_path / "song.wav")),
        midi=MidiSettings(midi_out=(str(tmp_path / "cover.mid"),)),
    )
    played = cover_file(settings).notes
    notes = next(s for s in other.songs if s.name == "one.wav").covers["tiny, streamed"]
    assert notes == pytest.approx(events_to_notes(played), abs=1e-5)


def test_the_distance_from_humans_is_in_the_table(result: RungResult) -> None:
    assert result.streamed.figures["pianist_distance"] > 0
    assert result.systems["human"].figures["pianist_distance"] > 0  # POP909's stand for one song


def test_where_a_singer_is_measured_nothing_is_known_beforehand(
    tiny_stateful_path: Path, tmp_path: Path
) -> None:
    """What is played first does not depend on what comes later, nor on how loud that is."""
    time = np.arange(20 * SAMPLE_RATE) / SAMPLE_RATE
    quiet = 0.004 * np.sin(2 * np.pi * 220 * time) * (np.floor(time / 0.25) % 2)
    loud = np.where(time < 5, quiet, 100 * quiet)
    covers = {}
    for name, sound in (("quiet", quiet), ("loud", loud)):
        folder = tmp_path / name
        folder.mkdir()
        soundfile.write(folder / "one.wav", sound, SAMPLE_RATE)
        lines = "\n".join(f": {10 * k} 4 9 la" for k in range(15))
        (folder / "one.txt").write_text(f"#BPM:150\n{lines}")
        songs = EvaluateConfig(tmp_path, tmp_path / "cache", rung="sung", recordings=folder)
        found = evaluate(
            tiny_stateful_path, songs, EASY, paths=["streamed"], baselines=["human"],
            with_qmax=False,
        )  # fmt: skip
        assert list(found.systems) == ["tiny, streamed"]  # there is no human cover
        assert 0 <= found.streamed.figures["sung_found"] <= 1
        notes = found.songs[0].covers["tiny, streamed"]
        covers[name] = notes[notes[:, 0] < 4]
    assert len(covers["quiet"])
    assert covers["quiet"][:, 0] == pytest.approx(covers["loud"][:, 0])


def test_a_broken_file_is_named_skipped_and_counted(result: RungResult) -> None:
    assert (result.n_songs, list(result.skipped)) == (2, ["three.wav"])
    assert "not an audio file that can be read" in result.skipped["three.wav"]
    assert set(result.streamed.each) == {"one.wav", "two.wav"}
    assert "onset_f1" in result.streamed.each["one.wav"]
    assert "onset_f1" not in result.streamed.each["two.wav"]


def test_the_page_has_pictures(result: RungResult, config: EvaluateConfig, tmp_path: Path) -> None:
    page = save_page([result], {"folder": config}, tmp_path / "page", n_pictures=1)
    text = page.read_text()
    assert "rolls/folder-one.png" in text and "Skipped as broken: 1 (three.wav)" in text
    found = {path.relative_to(page.parent).as_posix() for path in page.parent.rglob("*.*")}
    assert found == {"index.html", "table.md", "figures.json", "rolls/folder-one.png"}
    assert (page.parent / "rolls/folder-one.png").stat().st_size > 5000


def test_styles_are_measured_and_drawn(
    config: EvaluateConfig, tiny_stateful_path: Path, tmp_path: Path
) -> None:
    rows, covers = measure_styles(tiny_stateful_path, config, n_steps=3)
    assert [row.amount for row in rows] == [None, None, None, 0, 0.5, 1, None]
    assert rows[-1].name == "human covers" and rows[-1].notes_a_second > 0
    assert rows[0].notes_a_second == rows[3].notes_a_second  # calm is one end of the line
    assert set(covers) == {"calm", "balanced", "intense"}
    draw_styles(tmp_path / "styles.png", rows, covers)
    assert (tmp_path / "styles.png").stat().st_size > 5000
    assert style_table(rows).count("\n") == 1 + len(rows)


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"baselines": ["robot"]}, ConfigError, "must be one of human, basic-pitch, not 'robot'"),
        (
            {"settings": EngineSettings(model=ModelSettings(style="wild"))},
            ConfigError,
            "no style 'wild'",
        ),
        ({"against": "nothing.onnx"}, ModelError, "no model file at nothing.onnx"),
    ],
)
def test_a_wrong_choice_is_told(
    changes: dict[str, Any],
    error: type[Exception],
    said: str,
    config: EvaluateConfig,
    tiny_stateful_path: Path,
) -> None:
    with pytest.raises(error, match=said):
        evaluate(tiny_stateful_path, config, with_qmax=False, **changes)


def test_events_become_notes() -> None:
    events = [
        NoteEvent(0.0, 60, 80, "melody"),
        NoteEvent(0.5, 60, 0),
        NoteEvent(0.6, 61, 0),  # the end of nothing
        NoteEvent(0.7, 62, 70),  # never ends
    ]
    assert events_to_notes(events).tolist() == [[0.0, 0.5, 60, 80, 1]]


HUMAN = np.array([[0.2 + 0.5 * k, 0.6 + 0.5 * k, 60 + k % 5, 80, 0] for k in range(10)], np.float32)


def tuning_example() -> TuningExample:
    """Posteriors of a model that is right at 0.5 and hears ghosts at 0.2; notes ring at 0.25."""
    n_frames = 400
    true = cells_of_notes(HUMAN, n_frames)
    ghosts = HUMAN.copy()
    ghosts[:, 2] += 12
    onset = 0.5 * true.onset + 0.2 * cells_of_notes(ghosts, n_frames).onset
    frame = np.where(true.frame, 0.55, 0.0)
    ringing = HUMAN.copy()
    ringing[:, 1] += 0.3
    frame = np.maximum(frame, 0.12 * cells_of_notes(ringing, n_frames).frame)
    return TuningExample(
        Posteriors(
            np.arange(n_frames),
            onset.astype(np.float32),
            frame.astype(np.float32),
            np.full((n_frames, 88), 0.6, np.float32),
        ),
        HUMAN,
    )


def test_tuning_leaves_out_ghosts_and_ringing() -> None:
    covers = [tuning_example()]
    decoding = tune_onsets(covers, 0.016)
    assert decoding.onset_threshold > 0.2
    for choose in (tune_frames, tune_length):
        tuned = choose(covers, 0.016, decoding)
        assert tuned.onset_threshold == decoding.onset_threshold
        notes = decode(covers[0].posteriors, 0.016, tuned)
        assert len(notes) == len(HUMAN)
        assert np.median(notes[:, 1] - notes[:, 0]) == pytest.approx(0.4, abs=0.05)


def test_of_equally_good_thresholds_restrikes_take_the_lowest_not_below_an_onsets() -> None:
    covers = [tuning_example()]
    decoding = replace(tune_onsets(covers, 0.016), onset_threshold=0.3)
    assert tune_restrike(covers, 0.016, decoding).restrike_threshold == 0.3


def test_where_a_density_is_followed_the_lowest_onset_threshold_is_taken() -> None:
    rate = len(HUMAN) / float(HUMAN[:, 1].max())
    onsets = (0.3, 0.35, 0.4)
    decoding = tune_onsets([tuning_example()], 0.016, Search(onsets, rate))
    assert (decoding.onset_threshold, decoding.notes_per_second) == (0.3, rate)


def test_a_model_that_plays_nothing_can_be_tuned() -> None:
    silent = Posteriors(np.arange(100), *np.zeros((3, 100, 88), np.float32))
    covers = [TuningExample(silent, HUMAN)]
    decoding = tune_onsets(covers, 0.016, Search((0.3, 0.6)))
    assert tune_frames(covers, 0.016, decoding).onset_threshold in (0.3, 0.6)
