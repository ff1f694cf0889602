"""What the graphs remember when a song begins."""

from typing import Any

import numpy as np
import onnxruntime as ort

from engine.accompany.model import _Remembering


class BigMemory:
    """A graph with a memory; its zeros are lent, as those of ``Graph`` are."""

    inputs = {"own": [1, 4], "keys_0": [1, 2, 512, 40], "values_0": [1, 2, 512, 40]}  # noqa: RUF012

    def zeros(self, name: str) -> ort.OrtValue:
        return ort.OrtValue.ortvalue_from_numpy(np.zeros(self.inputs[name], np.float32))


def test_it_begins_with_nothing() -> None:
    graph: Any = BigMemory()
    remembering = _Remembering(graph, ("hidden",))
    for _ in range(20):
        remembering.reset()
        noise = [np.random.default_rng(k).random((1, 2, 512, 40)) for k in range(4)]
        assert sorted(remembering._memory) == ["keys_0", "values_0"]
        assert not any(memory.any() for memory in remembering._memory.values())
        del noise
