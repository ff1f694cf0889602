"""Songs side by side, by who plays them."""

from pathlib import Path

import numpy as np
from PIL import Image

from offline_train.evaluation.rolls import HUMAN, PlayedSong, draw_songs
from offline_train.evaluation.songs.reference_song import SAMPLE_RATE, ReferenceSong


def test_each_song_has_a_row_also_without_a_human(tmp_path: Path) -> None:
    sound = np.zeros(20 * SAMPLE_RATE, np.float32)
    notes = np.array([[9, 10, 60, 80, 1], [10, 12, 43, 60, 0], [1, 2, 50, 60, 0]], np.float32)
    known = ReferenceSong("known", sound, notes, np.arange(0, 20, 0.5))
    unknown = ReferenceSong("unknown", sound)
    played = [
        PlayedSong(known, {HUMAN: notes, "a cover": notes[:2]}),
        PlayedSong(unknown, {"a cover": np.zeros((0, 5), np.float32)}),
    ]
    heights = []
    for n in (1, 2):
        path = tmp_path / f"{n}.png"
        draw_songs(path, played[:n], seconds=8.0)
        picture = np.asarray(Image.open(path).convert("RGB"))
        heights.append(len(picture))
        is_orange = (picture[..., 0] > 180) & (picture[..., 2] < 120)
        halves = is_orange[:, : picture.shape[1] // 2], is_orange[:, picture.shape[1] // 2 :]
        assert all(half.sum() > 50 for half in halves)
    assert heights[1] > 1.5 * heights[0]
