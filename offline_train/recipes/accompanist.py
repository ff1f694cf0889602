"""The accompanist's recipe: planner, player and note writer learn side by side.

They share no weights: the planner's loss is the song's chord at the step that is to be written,
the player's and writer's are the human's notes, moved to the plan that they are given. What each
learns from is drawn by ``offline_train.data.accompaniment.crops``. Evaluate what is sampled
(``offline_train.evaluation.accompanying.accompaniment``), never by these losses.
"""

import logging
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from engine.accompany.chords import CLASS_TONES, NO_CHORD
from engine.core.errors import ModelError
from models.accompanist import (
    DONE,
    N_LENGTHS,
    N_VELOCITIES,
    Accompanist,
    AccompanistConfig,
    Situation,
    config_from,
)
from offline_train.corpora.data_folder import find_data_folder
from offline_train.data.accompaniment.batches import Batch, collate
from offline_train.data.accompaniment.crops import Crops, ExcerptPosteriors, make_crop
from offline_train.data.accompaniment.posterior_noise import PosteriorNoise
from offline_train.data.accompaniment.songs import GridSong, prepare_songs
from offline_train.evaluation.hearing.step_posteriors import load_posteriors
from offline_train.recipes.own_history import with_own_past
from offline_train.training.checkpoints import read_checkpoint
from offline_train.training.loading import draw_batches
from offline_train.training.loop import TrainingLoop
from offline_train.training.settings import SteppedSettings, settings_from
from offline_train.training.task import Losses, Task

log = logging.getLogger(__name__)

RECIPE = "train-accompanist"
Learns = Literal["all", "plan", "play"]
WEIGHTS = {
    "chord": 1.0,
    "bass": 0.3,
    "pitch": 1.0,
    "length": 0.3,
    "velocity": 0.2,
    "hand": 0.1,
}
CLIP = 1.0
OWN_PAST_FROM = 0.3  # of a run: before, what it would play is not worth reading
EVALUATED_LAGS = (0, 2, 4, 8)
AFTER_CHANGE = 4  # steps: the first beat


@dataclass(frozen=True, slots=True)
class AccompanistSettings(SteppedSettings):
    """One run; ``heard`` is the folder that ``livecover-train hear-songs`` left.

    ``data`` is the data folder, ``LIVECOVER_DATA`` by default.
    """

    MAY_CHANGE: ClassVar[frozenset[str]] = SteppedSettings.MAY_CHANGE | {
        "data",
        "heard",
        "start_from",
    }

    _: KW_ONLY
    data: Path | None = None
    heard: Path = Path("runs/accompanist")
    network: AccompanistConfig = field(default_factory=AccompanistConfig)
    learns: Learns = "all"
    start_from: Path | None = None  # a checkpoint, of which the parts that fit are taken
    own_past: float = 0.0  # share of the player's past that it played itself
    batch: int = 4
    n_steps: int = 512
    is_half: bool = False  # products in bfloat16, which processors with AMX or AVX-512 do faster

    def songs(self, split: str) -> list[GridSong]:
        """Return a split's songs, laid on their grids if they are not yet."""
        return prepare_songs(find_data_folder(self.data), split, self.heard / f"songs-{split}")


settings = partial(settings_from, AccompanistSettings)
"""Makes settings of a recipe's values; raises ConfigError."""


def losses(network: Accompanist, batch: Batch, learns: Learns) -> Losses:
    """Return the weighted parts of the loss of a batch for what learns."""
    parts: Losses = {}
    if learns != "play":
        parts |= plan_losses(network, batch)
    if learns != "plan":
        parts |= note_losses(network, batch)
    return {name: WEIGHTS[name] * part for name, part in parts.items()}


def plan_losses(network: Accompanist, batch: Batch) -> Losses:
    """Return the planner's: the class of the chord, and its bass where there is one."""
    hidden = network.planner(batch.observed, batch.expected, batch.where)[batch.is_step]
    chord, bass = batch.chord[batch.is_step], batch.bass[batch.is_step]
    has_bass = chord != NO_CHORD
    bass_logits = network.planner.bass(hidden[has_bass], chord[has_bass])
    return {
        "chord": functional.cross_entropy(network.planner.chord(hidden).float(), chord),
        "bass": functional.cross_entropy(bass_logits.float(), bass[has_bass]),
    }


def note_losses(network: Accompanist, batch: Batch) -> Losses:
    """Return player's and writer's: the next pitch or the end, and the rest of each note."""
    player = network.player
    read = player.read(batch.own, batch.plan, batch.summary, batch.style, batch.part, batch.where)
    hidden = player.stack(read).flatten(0, 1)[batch.at]
    plan = batch.plan.flatten(0, 1)[batch.at, :-1]
    is_note = batch.pitch != DONE
    pitch = torch.where(is_note, batch.pitch, 0)
    logits, rest = network.writer(hidden, plan, batch.struck, batch.last, pitch)
    length, velocity, hand = rest[is_note].float().split((N_LENGTHS, N_VELOCITIES, 1), -1)
    return {
        "pitch": functional.cross_entropy(logits.float(), batch.pitch),
        "length": functional.cross_entropy(length, batch.length[is_note]),
        "velocity": functional.cross_entropy(velocity, batch.velocity[is_note]),
        "hand": functional.binary_cross_entropy_with_logits(hand[:, 0], batch.is_right[is_note]),
    }


def valid_batch(
    songs: list[GridSong], real: dict[str, list[ExcerptPosteriors]], n_steps: int
) -> Batch:
    """Return crops of songs with the model's posteriors, the same each time."""
    rng = np.random.default_rng(0)
    crops = []
    for song in songs:
        for excerpt in real.get(song.song_id, []):
            posteriors = excerpt.rows(min(n_steps, song.n_steps - excerpt.first))
            crops.append(make_crop(song, excerpt.first, posteriors, 2, 0, rng))
    return collate(crops, n_steps)


@torch.no_grad()
def score_plan(
    network: Accompanist, songs: list[GridSong], real: dict[str, list[ExcerptPosteriors]]
) -> dict[str, Any]:
    """Return the plan's share of right tones by lag, everywhere and after changes."""
    network.eval()
    found: dict[str, Any] = {}
    tones = torch.from_numpy(CLASS_TONES)
    for lag in EVALUATED_LAGS:
        right, after = [], []
        for song in songs:
            for excerpt in real.get(song.song_id, []):
                posteriors = excerpt.rows(song.n_steps - excerpt.first)
                crop = make_crop(song, excerpt.first, posteriors, lag, 0, np.random.default_rng(0))
                where = Situation(
                    torch.from_numpy(crop.place)[None],
                    torch.tensor([lag]),
                    torch.tensor([crop.tempo]),
                )
                x = torch.from_numpy(crop.observed)[None], torch.from_numpy(crop.expected)[None]
                chosen = network.planner.chord(network.planner(*x, where))[0].argmax(-1)
                true = torch.from_numpy(crop.chord)
                shared = (tones[chosen] * tones[true]).sum(-1) / tones[chosen].sum(-1).clamp(min=1)
                counts = true != NO_CHORD
                right.append(shared[counts])
                is_new = np.zeros(len(crop.chord), bool)
                for k in np.flatnonzero(np.diff(crop.chord)) + 1:
                    is_new[k : k + AFTER_CHANGE] = True
                after.append(shared[counts & torch.from_numpy(is_new)])
        found[f"tones at {lag}"] = round(float(torch.cat(right).mean()), 4)
        found[f"after change at {lag}"] = round(float(torch.cat(after).mean()), 4)
    return found


class AccompanistTask(Task[Batch]):
    """The network, crops of songs with posteriors, and the plan on songs of validation."""

    recipe = RECIPE

    def __init__(self, c: AccompanistSettings, network: Accompanist) -> None:
        self.settings, self.c, self.network, self.accompanist = c, c, network, network
        self.optimizer = torch.optim.Adam(network.parameters(), c.learning_rate)
        self.songs = c.songs("valid")
        self.real = load_posteriors(c.heard / "heard" / "b-valid")
        self.valid_batch = moved_to(valid_batch(self.songs, self.real, c.n_steps), c.device)

    def batches(self, first: int) -> Iterator[Batch]:
        """Yield batches from number ``first`` on."""
        c = self.c
        noise = PosteriorNoise.load(c.heard / "noise-live.npz")
        real = load_posteriors(c.heard / "heard" / "train")
        crops = Crops(c.songs("train"), noise, real, c.n_steps, has_notes=c.learns != "plan")
        return draw_batches(partial(crops.draw, c.batch), c.seed, first)

    def loss(self, batch: Batch, progress: float) -> Losses:
        """Return the weighted parts of the loss of a batch."""
        c, batch = self.c, moved_to(batch, self.c.device)
        with torch.autocast(torch.device(c.device).type, torch.bfloat16, enabled=c.is_half):
            if c.own_past and progress > OWN_PAST_FROM:
                batch = with_own_past(self.accompanist, batch, c.own_past)
            return losses(self.accompanist, batch, c.learns)

    def validate(self, step: int) -> dict[str, Any]:
        """Return the parts of the loss, and the plan's share of right tones."""
        parts = losses(self.accompanist, self.valid_batch, self.c.learns)
        valid = {name: round(float(part), 4) for name, part in parts.items()}
        if self.c.learns == "play":
            return valid
        return {**valid, **score_plan(self.accompanist, self.songs, self.real)}

    def state(self) -> dict[str, Any]:
        """Return the network's sizes."""
        return {"network": self.c.network.to_dict()}


def train(c: AccompanistSettings) -> Path:
    """Train, or resume; return the checkpoint it leaves.

    Raises
    ------
    DataError, ModelError
        If something to learn from is missing, or ``out`` holds another run.
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, once everything is saved.
    """
    torch.set_num_threads(c.threads)
    torch.manual_seed(c.seed)
    network = Accompanist(c.network).to(c.device)
    if c.start_from is not None and not (c.out / "last.pt").is_file():
        begin_with(network, c.start_from)
    loop = TrainingLoop(AccompanistTask(c, network), c.schedule(clip=CLIP), c.out)
    loop.run()
    return loop.last


def moved_to(batch: Batch, device: str) -> Batch:
    """Return a batch on a device."""

    def there(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value.to(device)
        return type(value)(*map(there, value))

    return Batch(*map(there, batch))


def begin_with(network: Accompanist, path: Path) -> None:
    """Take of a checkpoint the planner, the player and the writer, each where it fits."""
    weights = read_checkpoint(path, RECIPE)["model"]
    for name, part in network.named_children():
        own = part.state_dict()
        given = {key: weights[f"{name}.{key}"] for key in own if f"{name}.{key}" in weights}
        fits = all(key in given and given[key].shape == own[key].shape for key in own)
        log.info("%s: %s is %s", path, name, "taken" if fits else "left, its sizes differ")
        if fits:
            part.load_state_dict(given)


def load_network(path: Path) -> Accompanist:
    """Return the network of a checkpoint, ready to play. Raises ModelError if it is none."""
    checkpoint = read_checkpoint(path, RECIPE)
    network = Accompanist(config_from(checkpoint["network"]))
    try:
        network.load_state_dict(checkpoint["model"])
    except RuntimeError as error:
        raise ModelError(f"{path}: its weights do not fit its network; train it again") from error
    return network.eval()
