"""The accompanist's recipe: planner, player and note writer learn side by side.

They share no weights: the planner's loss is the song's chord at the step that is to be written,
the player's and writer's are the human's notes, moved to the plan that they are given. What each
learns from is drawn by ``offline_train.data.crops``. Judge by what is sampled
(``offline_train.evaluation.accompaniment``), never by these losses.
"""

import logging
import tomllib
from dataclasses import KW_ONLY, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from engine.accompany.chords import CLASS_TONES, NO_CHORD
from engine.core.errors import ConfigError, ModelError
from models.accompanist import (
    DONE,
    N_LENGTHS,
    N_VELOCITIES,
    Accompanist,
    AccompanistConfig,
    Situation,
    config_from,
)
from offline_train.corpora.text_files import read_text
from offline_train.data.accompaniment import GridSong, prepare_songs
from offline_train.data.crops import Batch, Crops, RealHearing, collate, make_crop
from offline_train.data.hearing_noise import HearingNoise
from offline_train.evaluation.heard_steps import load_real
from offline_train.training.checkpoints import read_checkpoint
from offline_train.training.running import Parts, Run, RunConfig

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
JUDGED_LAGS = (0, 2, 4, 8)
AFTER_CHANGE = 4  # steps: the first beat


@dataclass(frozen=True, slots=True)
class TrainAccompanistConfig(RunConfig):
    """One run; ``songs``, ``heard`` and ``noise`` are what ``livecover-train hear`` left."""

    FREE: ClassVar[frozenset[str]] = RunConfig.FREE | {
        "data",
        "songs",
        "heard",
        "noise",
        "start_from",
    }

    data: Path = Path("data")
    songs: Path = Path("runs/accompanist/songs")  # a folder a split below
    heard: Path = Path("runs/accompanist/heard")
    noise: Path = Path("runs/accompanist/noise-live.npz")
    network: AccompanistConfig = field(default_factory=AccompanistConfig)
    _: KW_ONLY
    learns: Learns = "all"
    start_from: Path | None = None  # a checkpoint, of which the parts that fit are taken
    batch: int = 4
    n_steps: int = 512


def read_config(path: Path, **given: Any) -> TrainAccompanistConfig:
    """Return a run's settings from a TOML file; ``given`` ones win.

    Raises
    ------
    ConfigError
        If the file is no TOML, or has a setting that a run does not know.
    """
    try:
        values: dict[str, Any] = tomllib.loads(read_text(path))
        network = AccompanistConfig().to_dict()
        for name, value in values.pop("network", {}).items():
            network[name] = network[name] | value if isinstance(value, dict) else value
        values["network"] = config_from(network)
        for f in fields(TrainAccompanistConfig):
            if f.name in values and f.name in ("out", "data", "songs", "heard", "noise"):
                values[f.name] = Path(values[f.name])
        return TrainAccompanistConfig(**(values | given))
    except (tomllib.TOMLDecodeError, TypeError, KeyError) as error:
        known = ", ".join(sorted(f.name for f in fields(TrainAccompanistConfig)))
        raise ConfigError(
            f"{path}: expected a TOML file of settings of a run ({error}); known are {known}"
        ) from error


def losses(network: Accompanist, batch: Batch, learns: Learns) -> Parts:
    """Return the weighted parts of the loss of a batch for what learns."""
    parts: Parts = {}
    if learns != "play":
        parts |= plan_losses(network, batch)
    if learns != "plan":
        parts |= note_losses(network, batch)
    return {name: WEIGHTS[name] * part for name, part in parts.items()}


def plan_losses(network: Accompanist, batch: Batch) -> Parts:
    """Return the planner's: the class of the chord, and its bass where there is one."""
    hidden = network.planner(batch.heard, batch.expected, batch.where)[batch.is_step]
    chord, bass = batch.chord[batch.is_step], batch.bass[batch.is_step]
    has_bass = chord != NO_CHORD
    bass_logits = network.planner.bass(hidden[has_bass], chord[has_bass])
    return {
        "chord": functional.cross_entropy(network.planner.chord(hidden), chord),
        "bass": functional.cross_entropy(bass_logits, bass[has_bass]),
    }


def note_losses(network: Accompanist, batch: Batch) -> Parts:
    """Return player's and writer's: the next pitch or the end, and the rest of each note."""
    player = network.player
    read = player.read(
        batch.own, batch.plan, batch.heard[..., -44:], batch.style, batch.part, batch.where
    )
    hidden = player.stack(read).flatten(0, 1)[batch.at]
    plan = batch.plan.flatten(0, 1)[batch.at, :-1]
    is_note = batch.pitch != DONE
    pitch = torch.where(is_note, batch.pitch, 0)
    logits, rest = network.writer(hidden, plan, batch.struck, batch.last, pitch)
    length, velocity, hand = rest[is_note].split((N_LENGTHS, N_VELOCITIES, 1), -1)
    return {
        "pitch": functional.cross_entropy(logits, batch.pitch),
        "length": functional.cross_entropy(length, batch.length[is_note]),
        "velocity": functional.cross_entropy(velocity, batch.velocity[is_note]),
        "hand": functional.binary_cross_entropy_with_logits(hand[:, 0], batch.is_right[is_note]),
    }


def valid_batch(songs: list[GridSong], real: dict[str, list[RealHearing]], n_steps: int) -> Batch:
    """Return crops of songs that were really heard, the same each time."""
    rng = np.random.default_rng(0)
    crops = []
    for song in songs:
        for excerpt in real.get(song.song_id, []):
            heard = excerpt.rows(min(n_steps, song.n_steps - excerpt.first))
            crops.append(make_crop(song, excerpt.first, heard, 2, 0, rng))
    return collate(crops, n_steps)


@torch.no_grad()
def judge(
    network: Accompanist, songs: list[GridSong], real: dict[str, list[RealHearing]]
) -> dict[str, Any]:
    """Return the plan's share of right tones by lag, everywhere and after changes."""
    network.eval()
    found: dict[str, Any] = {}
    tones = torch.from_numpy(CLASS_TONES)
    for lag in JUDGED_LAGS:
        right, after = [], []
        for song in songs:
            for excerpt in real.get(song.song_id, []):
                heard = excerpt.rows(song.n_steps - excerpt.first)
                crop = make_crop(song, excerpt.first, heard, lag, 0, np.random.default_rng(0))
                where = Situation(
                    torch.from_numpy(crop.place)[None],
                    torch.tensor([lag]),
                    torch.tensor([crop.tempo]),
                )
                x = torch.from_numpy(crop.heard)[None], torch.from_numpy(crop.expected)[None]
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


def train(c: TrainAccompanistConfig) -> Path:
    """Train, or go on training; return the checkpoint it leaves.

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
    if c.start_from is not None:
        begin_with(network, c.start_from)
    run = Run(RECIPE, c, network, np.random.default_rng((c.seed, 0)))
    if run.share >= 1:
        return run.last
    songs = {
        s: prepare_songs(c.data, s, c.songs.with_name(f"{c.songs.name}-{s}"))
        for s in ("train", "valid")
    }
    crops = Crops(
        songs["train"], HearingNoise.load(c.noise), load_real(c.heard / "train"), c.n_steps
    )
    real = load_real(c.heard / "b-valid")
    judged = valid_batch(songs["valid"], real, c.n_steps)

    def loss_of(share: float) -> Parts:
        return losses(network, moved_to(crops.draw(c.batch, run.rng), c.device), c.learns)

    def validate(share: float) -> dict[str, Any]:
        network.eval()
        with torch.no_grad():
            parts = losses(network, moved_to(judged, c.device), c.learns)
        valid = {name: round(float(part), 4) for name, part in parts.items()}
        return {
            "minutes": round(run.seconds / 60, 1),
            "valid": valid,
            **judge(network, songs["valid"], real),
        }

    run.learn(loss_of, validate, CLIP)
    return run.last


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
