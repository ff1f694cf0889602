"""What the kit would do on a GPU, computed from a profile of its parts on one core.

Measured here: rendering, mixing and mastering of a crop, and the operations of a training step.
Assumed of the machine: how many operations it does a second, and how long one step of a recurrence
takes. The slowest part decides. Not here: the training itself.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from offline_train.data.prepare import PrepareConfig, plan, render_piece
from offline_train.training.task import Task

SONGS = 4
BATCHES = 24
RECURRENT_STEP_S = 15e-6  # of a step of time, there or back, however large the batch
PASSES = 3  # forward, and the two products of the way back


@dataclass(frozen=True, slots=True)
class Machine:
    """What is assumed of a machine with a GPU."""

    cores: int = 16
    renderers: int = 4  # of the cores; the others mix
    operations: float = 50e12  # a second, of what such a network gets
    minutes: float = 10.0


@dataclass(frozen=True, slots=True)
class Profile:
    """What was measured of a target on one core."""

    rendered: float  # seconds of music in a second
    crop_s: float  # to mix and master one
    music_s: float  # in a crop
    operations: float  # of a step, for a crop
    recurrent_steps: int  # one after the other, in a step

    def crops_a_second(self, machine: Machine, batch: int) -> tuple[float, float]:
        """Return how many the cores that do not render make, and how many the GPU takes."""
        made = (machine.cores - machine.renderers) / self.crop_s
        step_s = batch * self.operations / machine.operations
        step_s += PASSES * self.recurrent_steps * RECURRENT_STEP_S
        return made, batch / step_s

    def row(self, name: str, machine: Machine, batch: int) -> list[str]:
        """Return a line of the table."""
        made, taken = self.crops_a_second(machine, batch)
        seconds = 60 * machine.minutes
        songs_h = machine.renderers * self.rendered * seconds / 3600
        return [
            name,
            f"{self.rendered:.0f}",
            f"{1000 * self.crop_s:.0f}",
            f"{self.operations / 1e9:.1f}",
            f"{made:.0f}",
            f"{taken:.0f}",
            f"{songs_h:.1f}",
            f"{min(made, taken) * self.music_s * seconds / 3600:.0f}",
        ]


HEADER = [
    "target", "rendered, s a s", "a crop, ms", "a crop, GFLOP", "crops/s, cores", "crops/s, GPU",
    "hours of music rendered", "hours heard",
]  # fmt: skip


def rendering_speed(data: Path) -> float:
    """Return how many seconds of songs one core renders in a second, with small sounds."""
    config = PrepareConfig(data, Path("unused"), excerpt_s=60.0, sounds="small")
    wanted = [piece for shard in plan(config) for piece in shard][: SONGS + 1]
    render_piece(config, *wanted[0])  # opens the SoundFonts
    begun, seconds = time.process_time(), 0.0
    for song, take in wanted[1:]:
        seconds += render_piece(config, song, take).facts["seconds"]
    return seconds / (time.process_time() - begun)


def profile(
    task: Task[Any], rendered: float, music_s: float, recurrent_steps: int, batch: int
) -> Profile:
    """Return a task's profile; ``batch`` is that of its settings, whose loader has no workers."""
    torch.set_num_threads(1)  # as a loader's process
    batches = task.batches(0)
    first = next(batches)
    crop_s = _seconds(lambda: list(islice(batches, BATCHES))) / BATCHES / batch
    with FlopCounterMode(display=False) as counter:
        loss = torch.stack(list(task.loss(first, 0.0).values())).sum()
        loss.backward()  # type: ignore[no-untyped-call]
    operations = counter.get_total_flops() / batch
    return Profile(rendered, crop_s, music_s, operations, recurrent_steps)


def _seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun
