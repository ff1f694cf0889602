"""The arranger's recipe, in the paper's stages.

0. ``rebuild``: chords and the texture of the true score; the decoder learns to write;
1. ``lean``: sound joins, the score is corrupted, and the weight of its texture's distance from a
   standard normal rises from 0.01 to 0.5, so that the decoder leans on sound more and more;
2. ``hear``: the texture is noise from N(0, 0.1^2); chords and sound alone remain;
3. ``follow``: the texture is what is expected after the unit before, learned on the true one.

A stage takes its share of the steps, or of the minutes. Gradients are clipped.
"""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from engine.core.errors import ConfigError
from models.arrangement import END, N_STEPS, PAD, Arrangement, ArrangementConfig, Texture
from models.spec import N_PITCHES
from offline_train.studies.arranging.batches import UnitBatch, Units
from offline_train.training.checkpoints import read_checkpoint
from offline_train.training.loading import draw_batches
from offline_train.training.loop import TrainingLoop
from offline_train.training.settings import RunSettings, SteppedSettings
from offline_train.training.task import Losses, Task

RECIPE = "train-arranger"
STAGES = {"rebuild": 0.25, "lean": 0.35, "hear": 0.25, "follow": 0.15}
"""Stage -> its share of the steps, among those that a run has."""

KL_FROM, KL_TO = 0.01, 0.5
NOISE = 0.1
WEIGHTS = {"pitch": 1.0, "length": 0.5, "bass": 0.1, "rhythm": 0.1, "intensity": 0.5, "kl": 1.0}
CLIP = 1.0


@dataclass(frozen=True, slots=True)
class ArrangerConfig(SteppedSettings):
    """One run."""

    MAY_CHANGE: ClassVar[frozenset[str]] = RunSettings.MAY_CHANGE | {"valid_units"}

    network: ArrangementConfig = field(default_factory=ArrangementConfig)
    _: KW_ONLY
    stages: tuple[str, ...] = tuple(STAGES)
    hears_melody: bool = True
    hears_texture: bool = True  # all of the sound; without it the melody alone, or nothing
    batch: int = 64
    valid_units: int = 256


def stage_at(c: ArrangerConfig, done: float) -> tuple[str, float]:
    """Return the stage of a run of which the share ``done`` is over, and the stage's own share.

    >>> stage_at(ArrangerConfig(Path()), 0.30)
    ('lean', 0.143)
    """
    total, before = sum(STAGES[name] for name in c.stages), 0.0
    for name in c.stages:
        share = STAGES[name] / total
        if done < before + share or name == c.stages[-1]:
            return name, round(min((done - before) / share, 1.0), 3)
        before += share
    raise AssertionError("there is at least one stage")


def losses(
    network: Arrangement, batch: UnitBatch, c: ArrangerConfig, stage: str, progress: float
) -> Losses:
    """Return the weighted parts of the loss of a batch in a stage, ``progress`` 0 to 1 of it."""
    texture, kl = texture_of(network, batch, stage)
    sound = masked(batch.sound, c) if stage != "rebuild" else torch.zeros_like(batch.sound)
    z = network.encode(batch.chords, sound, texture)
    pitch_logits, length_logits = network.decoder(z, batch.pitches, batch.lengths)
    auxiliary = network.auxiliary(z)
    ends = with_end(batch.pitches)
    is_struck = batch.pitches[..., 0] != PAD
    bass = torch.where(is_struck, batch.pitches[..., 0], N_PITCHES)
    parts = {
        "pitch": functional.cross_entropy(pitch_logits.flatten(0, 2), ends.flatten()),
        "length": functional.cross_entropy(length_logits.flatten(0, 2), batch.lengths.flatten()),
        "bass": functional.cross_entropy(auxiliary.bass.flatten(0, 1), bass.flatten()),
        "rhythm": functional.binary_cross_entropy_with_logits(auxiliary.rhythm, is_struck.float()),
        "intensity": mean_where(is_struck, (auxiliary.intensity - batch.intensity).square()),
    }
    if kl is not None:
        weight = KL_FROM + (KL_TO - KL_FROM) * progress if stage == "lean" else KL_FROM
        parts["kl"] = weight * kl
    return {name: WEIGHTS[name] * part for name, part in parts.items()}


def texture_of(network: Arrangement, batch: UnitBatch, stage: str) -> tuple[Tensor, Tensor | None]:
    """Return the texture (B, Z3) of a stage, and its distance from N(0, 1) where it has one."""
    noise = torch.randn(len(batch.sound), network.config.z_texture, device=batch.sound.device)
    if stage in ("rebuild", "lean"):
        posterior = network.texture(batch.score if stage == "rebuild" else batch.corrupted)
        sample = posterior.mean + noise * (0.5 * posterior.log_variance).exp()
        return sample, kl_from_normal(posterior)
    if stage == "hear":
        return NOISE * noise, None
    return network.texture_after(batch.previous, batch.has_previous) + NOISE * noise, None


def mean_where(is_counted: Tensor, values: Tensor) -> Tensor:
    """Return the mean of the values that count; 0 without any."""
    return (values * is_counted).sum() / is_counted.sum().clamp(min=1)


def kl_from_normal(texture: Texture) -> Tensor:
    """Return KL(texture || N(0, 1)), a mean over units and dimensions."""
    mean, log_variance = texture
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()


def masked(sound: Tensor, c: ArrangerConfig) -> Tensor:
    """Return the sound (B, S, P, 4) that a run gets: all, the melody alone, or nothing."""
    if c.hears_texture:
        return sound
    kept = torch.zeros_like(sound)
    if c.hears_melody:
        kept[..., 3] = sound[..., 3]
    return kept


def with_end(pitches: Tensor) -> Tensor:
    """Return the targets (B, S, N + 1) of groups (B, S, N): END after the last note, then PAD."""
    targets = functional.pad(pitches, (0, 1), value=PAD)
    counts = (pitches != PAD).sum(-1, keepdim=True)
    return targets.scatter(-1, counts, END)


class ArrangerTask(Task[UnitBatch]):
    """The arranger, its units, and the loss on unseen ones."""

    recipe = RECIPE

    def __init__(
        self, c: ArrangerConfig, network: Arrangement, units: Units, valid_batch: UnitBatch
    ) -> None:
        self.settings, self.c, self.network, self.arranger = c, c, network, network
        self.units, self.valid_batch = units, valid_batch
        self.optimizer = torch.optim.Adam(network.parameters(), c.learning_rate)

    def batches(self, first: int) -> Iterator[UnitBatch]:
        """Yield batches from number ``first`` on."""
        return draw_batches(partial(self.units.draw, self.c.batch), self.c.seed, first)

    def loss(self, batch: UnitBatch, progress: float) -> Losses:
        """Return the weighted parts of the loss of a batch."""
        stage = stage_at(self.c, progress)
        return losses(self.arranger, batch.to(self.c.device), self.c, *stage)

    def validate(self, step: int) -> dict[str, Any]:
        """Return the parts of the loss on unseen units."""
        return validation_losses(self.arranger, self.valid_batch, self.c)

    def state(self) -> dict[str, Any]:
        """Return the network's sizes."""
        return {"network": self.settings.plain()["network"]}


def train(c: ArrangerConfig, units: Units, valid: Units) -> Path:
    """Train, or resume, through the stages; return the checkpoint it leaves.

    Raises
    ------
    ConfigError, DataError, ModelError
        If a stage is unknown, a loss is not a number, or ``out`` holds another run.
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, once everything is saved.
    """
    if not c.stages or set(c.stages) - set(STAGES):
        raise ConfigError(f"stages must be some of {', '.join(STAGES)}, not {c.stages}")
    torch.set_num_threads(c.threads)
    torch.manual_seed(c.seed)
    network = Arrangement(c.network).to(c.device)
    valid_batch = valid.first(c.valid_units).to(c.device)
    loop = TrainingLoop(ArrangerTask(c, network, units, valid_batch), c.schedule(clip=CLIP), c.out)
    loop.run()
    return loop.last


@torch.no_grad()
def validation_losses(
    network: Arrangement, batch: UnitBatch, c: ArrangerConfig
) -> dict[str, float]:
    """Return the parts of the loss on unseen units, with the texture of inference."""
    network.eval()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parts = losses(network, batch, c, "follow" if "follow" in c.stages else "hear", 1.0)
    return {name: round(float(part), 4) for name, part in parts.items()}


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Return a checkpoint of this recipe. Raises ModelError if it is something else."""
    return read_checkpoint(path, RECIPE)


assert N_STEPS == 32, "the grid's unit and the network's are one"
