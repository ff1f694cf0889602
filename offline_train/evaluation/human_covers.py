"""The humans from whom covers are measured: the rung's own, or POP909's where it has hardly any."""

from collections.abc import Mapping, Sequence

from offline_train.evaluation.measures.pianist import (
    PianistScore,
    Spread,
    human_spreads,
    score_pianist,
)
from offline_train.evaluation.songs.rungs import (
    EvaluateConfig,
    cover_notes,
    reference_piece,
    song_names,
)

LEAST_COVERS = 5
"""Human covers of a rung, below which POP909's stand for them."""

POP909_HUMANS: Mapping[str, Spread] = {
    "notes_a_second": Spread(6.442, 1.881),
    "pulse": Spread(0.7938, 0.08502),
    "grid_coherence": Spread(0.03643, 0.02356),
    "crowded": Spread(0.007148, 0.01708),
    "single": Spread(0.4563, 0.1389),
    "variation": Spread(0.4857, 0.1758),
    "left_wide": Spread(0.03043, 0.03462),
    "seconds_struck": Spread(0.01242, 0.01436),
    "velocity_spread": Spread(13.82, 5.625),
    "note_s": Spread(0.3972, 0.1149),
    "melody_above": Spread(6.816, 4.618),
}
"""Sixty songs of the test split, 90 s of each; ``livecover-train human-figures`` prints it."""


def spreads_or_usual(humans: Sequence[PianistScore]) -> Mapping[str, Spread]:
    """Return the figures of a rung's human covers; POP909's where there are hardly any."""
    return human_spreads(humans) if len(humans) >= LEAST_COVERS else POP909_HUMANS


def measure_humans(config: EvaluateConfig) -> dict[str, Spread]:
    """Return the figures of POP909's humans, cut as rung b's songs. DataError if there are none."""
    scores = []
    for name in song_names(config):
        song, _ = reference_piece(config, name)
        seconds = min(song.duration, config.excerpt_s or song.duration)
        scores.append(score_pianist(cover_notes(song), seconds))
    return human_spreads(scores)
