"""Real recordings as pieces for the beat network: beats are those on which two trackers agree.

Bars are not known, and a song on whose beats the trackers do not agree is left out. Not here: the
recordings (``data.recordings``), the trackers (``offline_trackers``), rendered songs (``pieces``).
"""

import logging
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from engine.core.errors import DataError
from engine.model.frontend import load_frontend
from engine.whole_song.beats import smooth
from models.spec import FeatureSpec
from offline_train.data.beats.offline_trackers import agreed_beats
from offline_train.data.beats.pieces import LEAST_BEATS, UNKNOWN, make_shards, quantized_features
from offline_train.data.recordings import Recording, excerpts, read_excerpt, songs
from offline_train.data.shards import Piece
from offline_train.data.sound_files import SAMPLE_RATE
from offline_train.data.sources import Split
from offline_train.synthesis.mixing import master

log = logging.getLogger(__name__)

AGREEMENT = 0.85
MASTERS = 2  # beside the recording as it is


def make_recorded_pieces(
    folder: Path,
    out: Path,
    spec: FeatureSpec,
    split: Split = "train",
    excerpt_s: float = 80.0,
    limit: int = 0,
    workers: int = 1,
) -> int:
    """Make pieces of the recordings of a split (``packages.fetch``); return how many there are.

    Raises
    ------
    ConfigError
        If a tracker is not installed.
    DataError
        If there are no recordings, or a shard cannot be written.
    """
    jobs = {
        f"shard-{k:05d}.tar": partial(_pieces, song, spec, excerpt_s)
        for k, song in enumerate(songs(folder, split)[: limit or None])
    }
    settings = {"spec": spec, "split": split, "excerpt_s": excerpt_s}
    return make_shards(out, settings, jobs, "recordings", workers)


def _pieces(song: Recording, spec: FeatureSpec, excerpt_s: float) -> Iterator[Piece]:
    """Yield the middle of a song, as it is and mastered anew, if its beats are agreed on."""
    excerpt = excerpts(song, excerpt_s)[0]
    rng = np.random.default_rng(zlib.crc32(f"beats/{excerpt.name}".encode()))
    try:
        sound = read_excerpt(excerpt)
    except DataError as error:
        log.warning("skipped %s: %s", song.title, error)
        return
    times, agreement = agreed_beats(sound)
    if agreement < AGREEMENT or len(times) < LEAST_BEATS:
        log.info("left out %s: two trackers agree on %.2f of its beats", song.title, agreement)
        return
    beats = np.stack([smooth(times), np.full(len(times), UNKNOWN)], 1).astype(np.float32)
    frontend, seconds = load_frontend(spec), len(sound) / SAMPLE_RATE
    sounds = [sound, *(master(sound, rng, SAMPLE_RATE) for _ in range(MASTERS))]
    features = np.stack([quantized_features(each, frontend, seconds) for each in sounds])
    facts = {"seconds": seconds * len(sounds), "source": song.source.name, "agreement": agreement}
    yield Piece(excerpt.name, {"features": features, "beats": beats}, facts)
