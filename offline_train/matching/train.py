"""The recipe of the joint embedding: config, data, model, loop, save.

Both networks are trained together with the ranking loss, asked in both directions (the paper asks
in one), Adam, and a rate that falls along a half cosine
of the steps or of the minutes, whichever is further. A variational one adds, as the paper's
future work has it, the reconstruction of the roll from its latent and the latent's distance from a
standard normal; and, if wished, the reconstruction of the roll from the sound's embedding.
Ctrl-C and SIGTERM end the step underway and leave ``last.pt``, from which the same settings go on.
"""

import json
import logging
import math
import time
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from engine.errors import DataError, ModelError
from models.embedding import EmbeddingConfig, JointEmbedding
from offline_train.checkpoints import read_checkpoint, write_checkpoint
from offline_train.matching.ranking import Retrieval, ranking_loss, score_retrieval
from offline_train.matching.snippets import Snippets, SnippetSource
from offline_train.matching.views import WINDOW_S
from offline_train.shards import StoredPiece
from offline_train.stopping import Stopping

log = logging.getLogger(__name__)

RECIPE = "train-embedding"
SAVE_EVERY_S = 120.0
EMBED_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class MatchingConfig:
    """One run; ``out`` holds ``last.pt``, ``best.pt`` and ``log.jsonl``."""

    out: Path
    network: EmbeddingConfig = field(default_factory=EmbeddingConfig)
    steps: int = 20_000
    batch: int = 100
    learning_rate: float = 2e-3
    margin: float = 0.6
    max_shift: int = 6  # semitones, of the augmentation
    kl_weight: float = 1e-3
    reconstruction_weight: float = 1.0
    sound_reconstruction_weight: float = 0.0
    valid_every: int = 250
    valid_candidates: int = 500
    minutes: float = 0.0  # stop, ready to go on, after so long; 0 goes on to the end
    seed: int = 1
    threads: int = 1
    device: str = "cpu"

    def plain(self) -> dict[str, Any]:
        """Return the settings as JSON has them."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self), default=str))
        return plain


def losses(
    network: JointEmbedding, batch: Snippets, c: MatchingConfig
) -> tuple[Tensor, dict[str, float]]:
    """Return the loss of a batch, and its parts by name."""
    mean, log_variance = network.posterior(batch.rolls)
    sound = network.embed_sound(batch.sounds)
    score = mean
    if network.decoder is not None and network.training:
        score = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
    parts = {"ranking": ranking_loss(sound, score, c.margin) + ranking_loss(score, sound, c.margin)}
    if network.decoder is not None:
        parts["kl"] = c.kl_weight * kl_from_normal(mean, log_variance)
        parts["roll"] = c.reconstruction_weight * roll_loss(network.decoder(score), batch.rolls)
        if c.sound_reconstruction_weight:
            from_sound = roll_loss(network.decoder(sound), batch.rolls)
            parts["roll from sound"] = c.sound_reconstruction_weight * from_sound
    total = torch.stack(list(parts.values())).sum()
    return total, {name: float(part.detach()) for name, part in parts.items()}


def kl_from_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(mean, variance) || N(0, 1)) of (B, D), summed over D, a mean over B."""
    each = mean.square() + log_variance.exp() - 1 - log_variance
    return 0.5 * each.sum(1).mean()


def roll_loss(logits: Tensor, rolls: Tensor) -> Tensor:
    """Return the cross-entropy of rolls (B, P, C), summed over a column's pitches."""
    each = functional.binary_cross_entropy_with_logits(logits, rolls, reduction="none")
    return each.sum(1).mean()


@torch.no_grad()
def embed(network: JointEmbedding, snippets: Snippets) -> tuple[np.ndarray, np.ndarray]:
    """Return the embeddings (N, D) of the sounds and of the rolls."""
    network.eval()
    device = next(network.parameters()).device
    sounds, scores = [], []
    for k in range(0, len(snippets.rolls), EMBED_AT_ONCE):
        part = slice(k, k + EMBED_AT_ONCE)
        sounds.append(network.embed_sound(snippets.sounds[part].to(device)).cpu())
        scores.append(network.embed_score(snippets.rolls[part].to(device)).cpu())
    return torch.cat(sounds).numpy(), torch.cat(scores).numpy()


def candidates(pieces: Sequence[StoredPiece], n: int, seed: int = 0) -> Snippets:
    """Return n snippets as they are, the same at each call.

    None equals another, and none begins within half a window of another in its piece.
    """
    rng = np.random.default_rng(seed)
    return SnippetSource(pieces, rng, 0, too_like=1.5, apart_s=WINDOW_S / 2).draw(n)


def train(c: MatchingConfig, heard: list[StoredPiece], valid: list[StoredPiece]) -> Path:
    """Train, or go on training; return the best checkpoint by MRR on unseen snippets.

    Raises
    ------
    DataError, ModelError
        If the pieces hold too few snippets, or ``out`` holds another run.
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, once everything is saved.
    """
    torch.set_num_threads(c.threads)
    torch.manual_seed(c.seed)
    c.out.mkdir(parents=True, exist_ok=True)
    last, best_path = c.out / "last.pt", c.out / "best.pt"
    network = JointEmbedding(c.network).to(c.device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), lr=c.learning_rate)
    step, best, seconds = 0, -1.0, 0.0
    if last.is_file():
        before = _load_run(last, c)
        network.load_state_dict(before["model"])
        optimizer.load_state_dict(before["optimizer"])
        step, best, seconds = before["step"], before["best"], before["seconds"]
    if step >= c.steps or (c.minutes and seconds >= 60 * c.minutes):
        return best_path
    judged = candidates(valid, c.valid_candidates)
    draw = np.random.default_rng((c.seed, zlib.crc32(b"draw"), step))
    source = SnippetSource(heard, draw, c.max_shift)
    begun = saved = time.monotonic()
    with Stopping() as stopping:
        bar = tqdm(total=c.steps, initial=step, unit="step", desc=c.out.name)
        while step < c.steps and not stopping.is_asked:
            spent = seconds + time.monotonic() - begun
            done = max(step / c.steps, spent / (60 * c.minutes) if c.minutes else 0.0)
            for group in optimizer.param_groups:
                group["lr"] = c.learning_rate * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
            network.train()
            loss, parts = losses(network, _to(source.draw(c.batch), c.device), c)
            if not torch.isfinite(loss):
                raise DataError(f"{c.out}, step {step}: the loss is {loss.item()}")
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            step += 1
            bar.update()
            now = time.monotonic()
            is_over = bool(c.minutes) and seconds + now - begun > 60 * c.minutes
            if step % c.valid_every == 0 or step == c.steps or is_over:
                found = score_retrieval(*embed(network, judged))
                _append(c.out, {"step": step, **parts, "valid": asdict(found)})
                if found.mrr > best:
                    best = found.mrr
                    _save(best_path, c, network, optimizer, step, best, seconds, found)
            if now - saved > SAVE_EVERY_S:
                _save(last, c, network, optimizer, step, best, seconds + now - begun)
                saved = now
            if is_over:
                log.info("%g minutes are over after %d steps of %d", c.minutes, step, c.steps)
                break
        bar.close()
    _save(last, c, network, optimizer, step, best, seconds + time.monotonic() - begun)
    if stopping.is_asked:
        raise KeyboardInterrupt
    return best_path


def _to(batch: Snippets, device: str) -> Snippets:
    return Snippets(batch.rolls.to(device), batch.sounds.to(device), batch.places)


def _append(out: Path, facts: dict[str, Any]) -> None:
    with (out / "log.jsonl").open("a") as file:
        file.write(json.dumps(facts) + "\n")


def _save(
    path: Path,
    c: MatchingConfig,
    network: JointEmbedding,
    optimizer: torch.optim.Optimizer,
    step: int,
    best: float,
    seconds: float,
    found: Retrieval | None = None,
) -> None:
    """Write a checkpoint, whole or not at all."""
    state = {
        "recipe": RECIPE,
        "network": network.config.to_dict(),
        "train": c.plain(),
        "step": step,
        "best": best,
        "seconds": seconds,
        "validation": asdict(found) if found else {},
        "model": network.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    write_checkpoint(path, state)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Return a checkpoint of this recipe. Raises ModelError if it is something else."""
    return read_checkpoint(path, RECIPE)


def load_embedding(path: Path) -> JointEmbedding:
    """Return the networks of a checkpoint, ready to run. Raises ModelError as above."""
    checkpoint = load_checkpoint(path)
    network = JointEmbedding(EmbeddingConfig.from_dict(checkpoint["network"]))
    network.load_state_dict(checkpoint["model"])
    return network.eval()


def _load_run(path: Path, c: MatchingConfig) -> dict[str, Any]:
    """Return the checkpoint to go on from. Raises ModelError if it is of another run."""
    checkpoint = load_checkpoint(path)
    free = {"out", "minutes", "threads", "device", "valid_every"}
    before, now = checkpoint["train"], c.plain()
    changed = sorted(k for k in now if k not in free and before.get(k) != now[k])
    if changed:
        raise ModelError(
            f"{path}: holds a run with another {', '.join(changed)}; name another folder, or go on"
            " with the same settings"
        )
    return checkpoint
