"""The recipe of the joint embedding: settings, losses, data, model.

Both networks are trained together with the ranking loss, asked in both directions (the paper asks
in one). A variational one adds, as the paper's future work has it, the reconstruction of the roll
from its latent and the latent's distance from a standard normal; and, if wished, the reconstruction
of the roll from the sound's embedding.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.papers.embedding import EmbeddingConfig, JointEmbedding
from models.widen import enlarged
from offline_train.data.shards import StoredPiece
from offline_train.studies.matching.ranking import ranking_loss, score_retrieval
from offline_train.studies.matching.snippets import Snippets, SnippetSource
from offline_train.studies.matching.views import WINDOW_S
from offline_train.training.checkpoints import read_checkpoint
from offline_train.training.loading import draw_batches
from offline_train.training.loop import TrainingLoop
from offline_train.training.settings import SteppedSettings
from offline_train.training.task import Losses, Task

RECIPE = "train-embedding"
EMBED_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class MatchingConfig(SteppedSettings):
    """One run; ``out`` holds ``best.pt`` too."""

    network: EmbeddingConfig = field(default_factory=EmbeddingConfig)
    _: KW_ONLY
    batch: int = 100
    learning_rate: float = 2e-3
    margin: float = 0.6
    max_shift: int = 6  # semitones, of the augmentation
    kl_weight: float = 1e-3
    reconstruction_weight: float = 1.0
    sound_reconstruction_weight: float = 0.0
    valid_candidates: int = 500
    begin_with: Path | None = None  # a checkpoint of a network without decoder


def losses(network: JointEmbedding, batch: Snippets, c: MatchingConfig) -> Losses:
    """Return the parts of the loss of a batch."""
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
    return parts


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


@torch.no_grad()
def written(network: JointEmbedding, snippets: Snippets) -> Tensor:
    """Return the logits (N, P, C) of the cells that the decoder writes for each sound."""
    assert network.decoder is not None
    network.eval()
    device = next(network.parameters()).device
    parts = torch.split(snippets.sounds, EMBED_AT_ONCE)
    return torch.cat([network.decoder(network.embed_sound(x.to(device))).cpu() for x in parts])


def written_loss(network: JointEmbedding, snippets: Snippets) -> float:
    """Return the loss of what the decoder writes for each sound."""
    return float(roll_loss(written(network, snippets), snippets.rolls))


def candidates(pieces: Sequence[StoredPiece], n: int, seed: int = 0) -> Snippets:
    """Return n snippets as they are, the same at each call.

    None equals another, and none begins within half a window of another in its piece.
    """
    source = SnippetSource(pieces, 0, too_like=1.5, apart_s=WINDOW_S / 2)
    return source.draw(n, np.random.default_rng(seed))


class EmbeddingTask(Task[Snippets]):
    """The joint embedding, its snippets, and retrieval among unseen ones."""

    recipe = RECIPE

    def __init__(
        self,
        c: MatchingConfig,
        network: JointEmbedding,
        source: SnippetSource,
        snippets_valid: Snippets,
    ) -> None:
        self.settings, self.c, self.network, self.embedding = c, c, network, network
        self.source, self.valid = source, snippets_valid
        self.optimizer = torch.optim.Adam(network.parameters(), c.learning_rate)

    def batches(self, first: int) -> Iterator[Snippets]:
        """Yield batches from number ``first`` on."""
        return draw_batches(partial(self.source.draw, self.c.batch), self.c.seed, first)

    def loss(self, batch: Snippets, progress: float) -> Losses:
        """Return the parts of the loss of a batch."""
        return losses(self.embedding, _to(batch, self.c.device), self.c)

    def validate(self, step: int) -> dict[str, Any]:
        """Return how well partners among unseen snippets are found."""
        found = score_retrieval(*embed(self.embedding, self.valid))
        has_decoder = self.embedding.decoder is not None
        score = -written_loss(self.embedding, self.valid) if has_decoder else found.mrr
        return {**asdict(found), "score": score}

    def score(self, validation: dict[str, Any]) -> float:
        """Return the MRR; with a decoder, the negative loss of what it writes for sounds."""
        return float(validation["score"])

    def state(self) -> dict[str, Any]:
        """Return the network's sizes."""
        return {"network": self.settings.plain()["network"]}

    def upgraded(self, checkpoint: dict[str, Any]) -> dict[str, Any]:
        """Return a checkpoint of an older version as one of this version."""
        return {"best_score": checkpoint.get("best", -math.inf), **checkpoint}


def train(c: MatchingConfig, pieces: list[StoredPiece], valid: list[StoredPiece]) -> Path:
    """Train, or resume; return the best checkpoint on unseen snippets.

    That is by MRR; with a decoder, by the loss of what it writes for sounds.

    Raises
    ------
    DataError, ModelError
        If the pieces hold too few snippets, a loss is not a number, or ``out`` holds another run.
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, once everything is saved.
    """
    torch.set_num_threads(c.threads)
    torch.manual_seed(c.seed)
    network = JointEmbedding(c.network).to(c.device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in its stub
    if c.begin_with is not None:
        begin(network, load_checkpoint(c.begin_with)["model"])
    snippets_valid = candidates(valid, c.valid_candidates)
    task = EmbeddingTask(c, network, SnippetSource(pieces, c.max_shift), snippets_valid)
    loop = TrainingLoop(task, c.schedule(), c.out)
    loop.run()
    return loop.best


def begin(network: JointEmbedding, weights: dict[str, Tensor]) -> None:
    """Give a network, which may have a decoder more, the weights of another, in place.

    It embeds as the other did. Raises ValueError if they do not fit into it.
    """
    fresh = network.state_dict()
    unknown = sorted(weights.keys() - fresh.keys())
    if unknown:
        raise ValueError(f"{unknown[0]} is in the smaller network only")
    known = {name: enlarged(name, fresh[name], tensor) for name, tensor in weights.items()}
    network.load_state_dict(fresh | known)


def _to(batch: Snippets, device: str) -> Snippets:
    return Snippets(batch.rolls.to(device), batch.sounds.to(device), batch.places)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Return a checkpoint of this recipe. Raises ModelError if it is something else."""
    return read_checkpoint(path, RECIPE)


def load_embedding(path: Path) -> JointEmbedding:
    """Return the networks of a checkpoint, ready to run. Raises ModelError as above."""
    checkpoint = load_checkpoint(path)
    network = JointEmbedding(EmbeddingConfig.from_dict(checkpoint["network"]))
    network.load_state_dict(checkpoint["model"])
    return network.eval()
