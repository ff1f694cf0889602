"""The manners of pop singers: sighed, belted, sliding, tuned by a machine.

Not here: what follows from a singer's habits (``singing``).
"""

from dataclasses import replace

import numpy as np

from offline_train.synthesis.voices.singing import Singer, draw_singer
from offline_train.synthesis.voices.voices import Voice

SHARES = {"plain": 0.3, "sighed": 0.2, "belted": 0.2, "sliding": 0.15, "tuned": 0.15}
"""How often each manner is drawn."""


def draw_pop_singer(voice: Voice, rng: np.random.Generator) -> Singer:
    """Return a singer with this voice and one of the manners; vowels still start on the onset."""
    singer = draw_singer(voice, rng)
    manner = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    if manner == "sighed":
        return replace(
            singer,
            breath=rng.uniform(0.4, 0.85),
            breath_db=rng.uniform(-25, -14),
            effort=rng.uniform(-0.9, -0.3),
            vibrato_cents=0.4 * singer.vibrato_cents,
        )
    if manner == "belted":
        return replace(
            singer,
            breath=0.15 * singer.breath,
            effort=rng.uniform(0.4, 1.0),
            scoop_ratio=rng.uniform(0.2, 0.6),
            scoop_cents=(80.0, 250.0),
        )
    if manner == "sliding":
        return replace(
            singer,
            glide=rng.uniform(0.1, 0.2),
            slur_ratio=rng.uniform(0.15, 0.4),
            scoop_ratio=rng.uniform(0.3, 0.7),
            scoop_cents=(100.0, 300.0),
        )
    if manner == "tuned":
        return replace(
            singer,
            glide=0.012,
            scoop_ratio=0.0,
            vibrato_cents=0.25 * singer.vibrato_cents,
            is_tuned=True,
        )
    return singer
