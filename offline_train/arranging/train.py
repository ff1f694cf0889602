"""The arranger's recipe, in the paper's stages.

0. ``rebuild``: chords and the texture of the true score; the decoder learns to write;
1. ``lean``: sound joins, the score is corrupted, and the weight of its texture's distance from a
   standard normal rises from 0.01 to 0.5, so that the decoder leans on sound more and more;
2. ``hear``: the texture is noise from N(0, 0.1^2); chords and sound alone remain;
3. ``follow``: the texture is what is expected after the unit before, learned on the true one.

A stage takes its share of the steps. Adam, gradients clipped, the rate falling along a half cosine.
Ctrl-C and SIGTERM end the step underway and leave ``last.pt``, from which the same settings go on.
"""

import json
import logging
import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from engine.errors import ConfigError, DataError, ModelError
from models.arrangement import END, N_STEPS, PAD, Arrangement, ArrangementConfig, Texture
from models.spec import N_PITCHES
from offline_train.arranging.batches import UnitBatch, Units
from offline_train.checkpoints import read_checkpoint, write_checkpoint
from offline_train.stopping import Stopping

log = logging.getLogger(__name__)

RECIPE = "train-arranger"
STAGES = {"rebuild": 0.25, "lean": 0.35, "hear": 0.25, "follow": 0.15}
"""Stage -> its share of the steps, among those that a run has."""

KL_FROM, KL_TO = 0.01, 0.5
NOISE = 0.1
WEIGHTS = {"pitch": 1.0, "length": 0.5, "bass": 0.1, "rhythm": 0.1, "intensity": 0.5, "kl": 1.0}
SAVE_EVERY_S = 120.0
CLIP = 1.0


@dataclass(frozen=True, slots=True)
class ArrangerConfig:
    """One run; ``out`` holds ``last.pt`` and ``log.jsonl``."""

    out: Path
    network: ArrangementConfig = field(default_factory=ArrangementConfig)
    stages: tuple[str, ...] = tuple(STAGES)
    hears_melody: bool = True
    hears_texture: bool = True  # all of the sound; without it the melody alone, or nothing
    steps: int = 20_000
    batch: int = 64
    learning_rate: float = 1e-3
    valid_every: int = 250
    valid_units: int = 256
    minutes: float = 0.0  # stop, ready to go on, after so long; 0 goes on to the end
    seed: int = 1
    threads: int = 1
    device: str = "cpu"

    def plain(self) -> dict[str, Any]:
        """Return the settings as JSON has them."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self), default=str))
        return plain


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
) -> dict[str, Tensor]:
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
    """Return the sound (B, S, P, 4) that a run hears: all, the melody alone, or nothing."""
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


def train(c: ArrangerConfig, units: Units, valid: Units) -> Path:
    """Train, or go on training, through the stages; return the checkpoint it leaves.

    Raises
    ------
    ConfigError, ModelError
        If a stage is unknown, or ``out`` holds another run.
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, once everything is saved.
    """
    if not c.stages or set(c.stages) - set(STAGES):
        raise ConfigError(f"stages must be some of {', '.join(STAGES)}, not {c.stages}")
    torch.set_num_threads(c.threads)
    torch.manual_seed(c.seed)
    c.out.mkdir(parents=True, exist_ok=True)
    last = c.out / "last.pt"
    network = Arrangement(c.network).to(c.device)
    optimizer = torch.optim.Adam(network.parameters(), lr=c.learning_rate)
    step, seconds = 0, 0.0
    if last.is_file():
        before = _load_run(last, c)
        network.load_state_dict(before["model"])
        optimizer.load_state_dict(before["optimizer"])
        step, seconds = before["step"], before["seconds"]
    if step >= c.steps or (c.minutes and seconds >= 60 * c.minutes):
        return last
    judged = valid.first(c.valid_units).to(c.device)
    rng = np.random.default_rng((c.seed, step))
    begun = saved = time.monotonic()
    with Stopping() as stopping:
        bar = tqdm(total=c.steps, initial=step, unit="step", desc=c.out.name)
        while step < c.steps and not stopping.is_asked:
            spent = seconds + time.monotonic() - begun
            done = max(step / c.steps, spent / (60 * c.minutes) if c.minutes else 0.0)
            if done >= 1:
                log.info("%g minutes are over after %d steps of %d", c.minutes, step, c.steps)
                break
            stage, progress = stage_at(c, done)
            for group in optimizer.param_groups:
                group["lr"] = c.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
            network.train()
            parts = losses(network, units.draw(c.batch, rng).to(c.device), c, stage, progress)
            loss = torch.stack(list(parts.values())).sum()
            if not torch.isfinite(loss):
                raise DataError(f"{c.out}, step {step}: the loss is {loss.item()}")
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
            optimizer.step()
            step += 1
            bar.update()
            if step % c.valid_every == 0 or step == c.steps:
                heard = {n: round(float(p.detach()), 4) for n, p in parts.items()}
                facts = {"step": step, "stage": stage, **heard, "valid": judge(network, judged, c)}
                with (c.out / "log.jsonl").open("a") as file:
                    file.write(json.dumps(facts) + "\n")
            if time.monotonic() - saved > SAVE_EVERY_S:
                _save(last, c, network, optimizer, step, seconds + time.monotonic() - begun)
                saved = time.monotonic()
        bar.close()
    _save(last, c, network, optimizer, step, seconds + time.monotonic() - begun)
    if stopping.is_asked:
        raise KeyboardInterrupt
    return last


@torch.no_grad()
def judge(network: Arrangement, batch: UnitBatch, c: ArrangerConfig) -> dict[str, float]:
    """Return the parts of the loss on unseen units, heard as at inference."""
    network.eval()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parts = losses(network, batch, c, "follow" if "follow" in c.stages else "hear", 1.0)
    return {name: round(float(part), 4) for name, part in parts.items()}


def _save(
    path: Path,
    c: ArrangerConfig,
    network: Arrangement,
    optimizer: torch.optim.Optimizer,
    step: int,
    seconds: float,
) -> None:
    """Write a checkpoint, whole or not at all."""
    state = {
        "recipe": RECIPE,
        "network": network.config.to_dict(),
        "train": c.plain(),
        "step": step,
        "seconds": seconds,
        "model": network.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    write_checkpoint(path, state)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Return a checkpoint of this recipe. Raises ModelError if it is something else."""
    return read_checkpoint(path, RECIPE)


def _load_run(path: Path, c: ArrangerConfig) -> dict[str, Any]:
    """Return the checkpoint to go on from. Raises ModelError if it is of another run."""
    checkpoint = load_checkpoint(path)
    free = {"out", "minutes", "threads", "device", "valid_every", "valid_units"}
    before, now = checkpoint["train"], c.plain()
    changed = sorted(k for k in now if k not in free and before.get(k) != now[k])
    if changed:
        raise ModelError(
            f"{path}: holds a run with another {', '.join(changed)}; name another folder, or go on"
            " with the same settings"
        )
    return checkpoint


assert N_STEPS == 32, "the grid's unit and the network's are one"
