"""A recorder of posteriors beside another tap."""

from typing import Any

import numpy as np

from engine.core.notes import Posteriors
from offline_train.evaluation.posterior_recorder import PosteriorRecorder


def test_what_taps_the_posteriors_lets_others_hear_them() -> None:
    calls: list[str] = []

    class Other:
        def __getattr__(self, name: str) -> Any:
            return lambda *_: calls.append(name)

    rows = Posteriors(np.arange(2), *np.zeros((3, 2, 88), np.float32))
    recorder = PosteriorRecorder(Other())
    recorder.begin(0.0, 0.0)
    recorder.push(np.zeros(1, np.float32), np.zeros((1, 1), np.float32), 0.0)
    recorder.push_posteriors(rows)
    recorder.skip(np.zeros(1, np.float32), 0)
    assert calls == ["begin", "push", "push_posteriors", "skip"]
    assert len(recorder.posteriors) == 2
