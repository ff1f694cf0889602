"""How good a model's covers are: rungs of songs, systems, measures, tables and pictures."""

from offline_train.evaluation.scoring import RungResult, evaluate
from offline_train.evaluation.songs.rungs import (
    Embed,
    EvaluateConfig,
    giantmidi_split,
    rendered_songs,
)
from offline_train.evaluation.systems import decode
from offline_train.evaluation.tuning import tune

__all__ = [
    "Embed",
    "EvaluateConfig",
    "RungResult",
    "decode",
    "evaluate",
    "giantmidi_split",
    "rendered_songs",
    "tune",
]
