"""What is opened for other settings (``opening``), and the worker applies between two steps."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.accompany.accompanist import Accompanist
from engine.beat.follower import BeatFollower
from engine.core.settings import EngineSettings
from engine.live.session import Session
from engine.model.cover_model import CoverModel
from engine.model.latency import LatencyBudget
from engine.model.pipeline import Pipeline


@dataclass(slots=True)
class Change:
    """Other settings, and what was read and opened for them; None where all stays as it was.

    ``model`` is the same that waits for more or less later sound, in the same pipeline.
    ``port_latency`` is the MIDI port's. ``follower`` is what follows the beat from now on,
    ``accompanist`` who accompanies; None where nothing does.
    """

    settings: EngineSettings
    budget: LatencyBudget
    port_latency: float
    follower: BeatFollower | None
    accompanist: Accompanist | None
    style: NDArray[np.float32] | None = None
    pipeline: Pipeline | None = None
    model: CoverModel | None = None
    session: Session | None = None
