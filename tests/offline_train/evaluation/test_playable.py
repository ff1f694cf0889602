"""A tiny model's covers through the engine's hands and pedal, and the tables that come of it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import DataError
from engine.core.notes import NoteEvent
from engine.perform.hands import Hands
from offline_train.evaluation import EvaluateConfig
from offline_train.evaluation.measures.playability import find_unplayable
from offline_train.evaluation.playable import PlayableScore, measure, notes_in_hands, pedalled
from offline_train.evaluation.playable_report import report
from offline_train.evaluation.songs.reference_song import SAMPLE_RATE, ReferenceSong, cached_song
from offline_train.evaluation.songs.rungs import reference_piece
from tests.note_streams import rows, streams
from tests.offline_train.fixtures import write_data


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> EvaluateConfig:
    """The test song of a tiny POP909, its rendering a tone that comes and goes."""
    base = tmp_path_factory.mktemp("playable")
    config = EvaluateConfig(write_data(base / "data"), base / "cache")
    song, _ = reference_piece(config, "902")
    time = np.arange(8 * SAMPLE_RATE) / SAMPLE_RATE
    sound = 0.3 * np.sin(2 * np.pi * 220 * time) * (np.floor(time / 0.25) % 2)
    notes = np.array([(*note, is_melody) for note, is_melody in song.cover()], np.float32)
    cached_song(config.folder, "902", lambda: ReferenceSong("902", sound.astype(np.float32), notes))
    return config


@pytest.fixture(scope="module")
def score(config: EvaluateConfig, tiny_stateful_path: Path) -> PlayableScore:
    return measure(tiny_stateful_path, config, thresholds=(0.2, 0.8))


def test_every_song_is_counted_once(score: PlayableScore) -> None:
    assert (score.n_songs, score.seconds) == (1, 8.0)
    assert sorted(score.parts) == [0.2, 0.5, 0.8]
    assert score.parts[0.5].n_melody == 16
    assert score.parts[0.5].n_doubled == 1
    assert score.hands["human"].n_notes == score.faults["human"].n_notes


def test_two_hands_can_play_what_is_left(score: PlayableScore) -> None:
    assert score.hands["after"].n_unplayable == 0
    assert score.hands["after"].n_notes <= score.hands["before"].n_notes


def test_the_tables(score: PlayableScore) -> None:
    text = report(score, "tiny", 0.5)
    assert "1 songs, 0.1 minutes." in text
    assert "| 0.5 (the model's) |" in text
    assert "| unplayable notes |" in text
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == (1 + 1 + 3) + (1 + 1 + 10) + (1 + 1 + 5) + (1 + 1 + 7)


def test_only_songs_with_tracks(config: EvaluateConfig) -> None:
    with pytest.raises(DataError, match="a rung of POP909, a, b, c, e, got piano"):
        measure("live", EvaluateConfig(config.data, config.cache, rung="piano"))


def test_notes_keep_their_hands() -> None:
    left, right = (NoteEvent(0.0, 48, 80, hand="left"), NoteEvent(0.0, 72, 80, hand="right"))
    ends = [NoteEvent(1.0, 48, 0, hand="left"), NoteEvent(1.0, 72, 0, hand="right")]
    notes, is_right = notes_in_hands([right, left, *ends])
    assert notes[:, 2].tolist() == [48, 72]
    assert is_right.tolist() == [False, True]


def test_a_pedal_is_up_at_the_songs_end() -> None:
    note = [NoteEvent(0.0, 48, 80), NoteEvent(1.0, 48, 0)]
    notes, moves = pedalled(note, 2.0)
    assert notes == note
    assert [move.is_down for move in moves] == [True, False]
    assert moves[-1].time == 2.0


@settings(max_examples=60)
@given(streams(), st.sampled_from((7, 12, 14, 19)))
def test_what_the_engines_hands_leave_two_hands_can_play(
    events: list[NoteEvent], span: int
) -> None:
    notes = rows(Hands(span).push(events))
    assert not find_unplayable(notes, notes[:, 5] > 0.5, span).any.any()
