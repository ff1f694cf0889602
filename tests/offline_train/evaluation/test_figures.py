"""From songs' scores to figures, their comparison, and the report of them."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from offline_train.evaluation.figures import MEASURE, SongScore, compare_qmax, figures
from offline_train.evaluation.report import (
    compare_rungs,
    ladder,
    report,
    save_json,
    table_rows,
)
from offline_train.evaluation.scoring import RungResult, SystemResult
from offline_train.evaluation.song_scores import ScoredSong, score_cover
from offline_train.evaluation.songs.reference_song import SAMPLE_RATE, ReferenceSong
from offline_train.evaluation.songs.rungs import Rung
from offline_train.evaluation.systems import Cover, Timing

NOTES = np.array(
    [[k * 0.25, k * 0.25 + 0.2, 48 + 2 * k, 60 + k, k % 2] for k in range(12)], np.float32
)
BEATS = np.arange(7) * 0.5
SONG = ReferenceSong("one", np.zeros(4 * SAMPLE_RATE, np.float32), NOTES, BEATS)


def score(notes: np.ndarray, qmax: float | None = None) -> SongScore:
    return dataclasses.replace(score_cover(SONG, Cover(notes)), qmax=qmax)


def test_a_copy_has_perfect_figures() -> None:
    found = figures([score(NOTES, 0.05)], Timing(0.064, 0.2))
    for key in ("onset_f1", "onset_f1_mean", "frame_f1", "melody_recall", "grid_share"):
        assert found[key] == 1, key
    assert found["notes_a_second"] == 3
    assert found["qmax"] == 0.05
    assert (found["lookahead_ms"], found["latency_ms"]) == (64, 200)
    assert set(found) <= set(MEASURE)


def test_songs_are_counted_together_and_averaged() -> None:
    found = figures([score(NOTES), score(NOTES[:3])])
    assert found["onset_recall"] == pytest.approx(15 / 24)
    assert found["onset_f1_mean"] == pytest.approx((1 + 2 * 3 / 15) / 2)
    assert found["notes_a_second"] == pytest.approx(15 / 8)
    assert "qmax" not in found and "latency_ms" not in found


def test_the_human_is_not_compared_with_itself() -> None:
    found = figures([score_cover(SONG, Cover(NOTES), is_truth=True)])
    assert "onset_f1" not in found
    assert found["grid_share"] == 1 and "melody_chroma" in found


def test_a_recording_without_truth_has_what_needs_none() -> None:
    song = ReferenceSong("real", SONG.samples)
    found = figures([score_cover(song, Cover(NOTES))])
    assert found["notes_a_second"] == 3
    assert not {"onset_f1", "melody_chroma", "grid_share"} & set(found)


def test_a_cover_is_measured_as_a_pianist_is() -> None:
    found = figures([score(NOTES)])
    assert found["single"] == 1 and found["crowded"] == 0
    assert found["note_s"] == pytest.approx(0.2)
    assert found["velocity_spread"] == pytest.approx(NOTES[:, 3].std())
    assert (found["sixteenth_ms"], found["sixteenth_90_ms"]) == (0, 0)
    assert (found["too_long"], found["repeated"]) == (0, 0)
    assert "melody_above" not in found  # it strikes no chord


def test_faults_are_counted_against_the_human() -> None:
    held = NOTES.copy()
    held[0, 1] += 0.2
    again = NOTES[:1] + np.array([0.1, 0, 0, 0, 0], np.float32)
    found = figures([score(np.concatenate([held, again]))])
    assert found["too_long"] == pytest.approx(1 / 12)
    assert found["repeated"] == pytest.approx(1 / 13)


def test_what_is_sung_is_looked_for() -> None:
    sung = np.array([[k * 0.25, k * 0.25 + 0.2, 60 + 2 * k] for k in range(12)])
    song = ReferenceSong("sung", SONG.samples, sung=sung)
    found = figures([score_cover(song, Cover(NOTES)), score_cover(song, Cover(NOTES[:6]))])
    assert found["sung_found"] == pytest.approx(0.75)
    assert found["sung_by_chance"] < 0.2
    assert "onset_f1" not in found and "sung_found" not in figures([score(NOTES)])


def test_silence_plays_no_notes_a_second() -> None:
    found = figures([score(NOTES[:0])])
    assert found["notes_a_second"] == 0 and found["onset_f1"] == 0
    assert "mean_velocity" not in found


def test_qmax_is_compared_on_songs_that_both_have() -> None:
    ours = [score(NOTES, 0.04), score(NOTES, None), score(NOTES, 0.06)]
    human = [score(NOTES, 0.05), score(NOTES, 0.5), score(NOTES, 0.05)]
    assert compare_qmax(ours, human) == pytest.approx(1.0)
    assert compare_qmax(ours[1:2], human[1:2]) is None


def result(rung: Rung, notes: np.ndarray) -> RungResult:
    scores = {"live, streamed": score(notes), "live, whole file": score(notes)}
    scores["human"] = score_cover(SONG, Cover(NOTES), is_truth=True)
    systems = {
        name: SystemResult(figures([s]), {"one": figures([s])}) for name, s in scores.items()
    }
    song = ScoredSong("one", 4.0, scores, dict.fromkeys(scores, notes))
    return RungResult(
        rung, "test", "live", "balanced", ("play.hands = True",), 1, 0.1, {"two": "broken"},
        systems, [song],
    )  # fmt: skip


def test_the_table_has_a_column_for_each_system_and_only_known_measures() -> None:
    rows = table_rows(result("b", NOTES[:6]))
    assert rows[0] == ["measure", "live, streamed", "live, whole file", "human"]
    table = {row[0]: row[1:] for row in rows}
    assert table[MEASURE["onset_f1"].label] == ["0.667", "0.667", "–"]
    assert MEASURE["qmax"].label not in table


def test_rungs_are_compared() -> None:
    rows = {row[0]: row[1] for row in compare_rungs([result("b", NOTES), result("c", NOTES[:6])])}
    assert rows["(b) onset F1, streamed ÷ whole file"] == "1.0000"
    assert rows["(b) share on the beat grid − the human's"] == "+0.000"
    assert rows[f"{MEASURE['onset_f1'].label}: (c) ÷ (b)"] == "0.667"


def test_the_ladder_has_a_column_for_each_rung() -> None:
    rows = ladder([result("b", NOTES), result("c", NOTES[:6])])
    assert rows[0] == ["measure", "(b)", "(c)"]
    assert [MEASURE["onset_f1"].label, "1.000", "0.667"] in rows
    assert MEASURE["sung_found"].label not in [row[0] for row in rows]
    assert ladder([result("b", NOTES)]) == []
    assert "## Rung by rung" in report([result("b", NOTES), result("c", NOTES)])


def test_a_model_that_did_not_stream_is_not_compared_with_itself() -> None:
    whole = result("b", NOTES)
    del whole.systems["live, streamed"]
    assert not [row for row in compare_rungs([whole]) if "streamed" in row[0]]


def test_the_report_names_what_was_skipped() -> None:
    text = report([result("b", NOTES)])
    assert "Skipped as broken: 1 (two)" in text
    assert "Rung (b)" in text
    assert "live, style balanced, play.hands = True: 1 songs" in text


def test_the_json_has_every_song(tmp_path: Path) -> None:
    path = tmp_path / "new" / "figures.json"
    save_json([result("b", NOTES)], path)
    found = json.loads(path.read_text())["rungs"]["b"]
    assert found["systems"]["live, streamed"]["each"]["one"]["onset_f1"] == 1
    assert found["skipped"] == {"two": "broken"}
