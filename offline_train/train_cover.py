"""The recipe of the streaming cover model: config, data, model, loop, save.

Time, not epochs, is the budget (``hours``): the learning rate follows the share of it that is
used, so a run that is stopped and resumed ends as planned. Ctrl-C leaves a loadable checkpoint.
"""

import json
import logging
import math
import subprocess
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader
from tqdm import tqdm

from engine.errors import ModelError
from models.features import LOG_STFT_16K
from models.streaming import STEP_FRAMES, StreamingConfig, StreamingCover
from offline_train.dataset import Crops, rasterize, read_takes

log = logging.getLogger(__name__)

SAVE_EVERY_S = 180.0


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """One training run; ``out`` holds ``last.pt``, ``config.json`` and ``log.jsonl``."""

    train: Path
    valid: Path
    out: Path
    hours: float = 2.0
    n_frames: int = 640
    batch: int = 8
    learning_rate: float = 2.5e-3
    weight_decay: float = 0.01
    warmup_steps: int = 60
    onset_weight: float = 8.0
    frame_weight: float = 1.0
    velocity_weight: float = 8.0
    melody_weight: float = 0.3
    ema_decay: float = 0.997
    seed: int = 1
    threads: int = 2
    device: str = "cpu"


def cover_loss(
    logits: dict[str, Tensor], batch: dict[str, Tensor], c: TrainConfig
) -> dict[str, Tensor]:
    """Return the weighted loss terms; velocity and melody count only where a note is."""
    onset, frame = batch["onset"], batch["frame"]
    sounding = torch.maximum(onset, frame)
    velocity = (torch.sigmoid(logits["velocity"]) - batch["velocity"]).square() * onset
    melody = bce(logits["melody"], batch["melody"], reduction="none") * sounding
    return {
        "onset": c.onset_weight * bce(logits["onset"], onset),
        "frame": c.frame_weight * bce(logits["frame"], frame),
        "velocity": c.velocity_weight * velocity.sum() / onset.sum().clamp(min=1),
        "melody": c.melody_weight * melody.sum() / sounding.sum().clamp(min=1),
    }


def learning_rate(step: int, share_used: float, c: TrainConfig) -> float:
    """Return the rate: linear warm-up by step, then a cosine over the share of time used."""
    cosine = 0.5 * (1 + math.cos(math.pi * min(share_used, 1.0)))
    return c.learning_rate * min(1.0, (step + 1) / c.warmup_steps) * (0.01 + 0.99 * cosine)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Return a checkpoint of this recipe. Raises ModelError if it is something else."""
    try:
        checkpoint = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # torch raises many kinds on a file that is none of its own
        raise ModelError(f"{path}: expected a checkpoint of train-cover ({error})") from error
    if not isinstance(checkpoint, dict) or checkpoint.get("recipe") != "train-cover":
        raise ModelError(f"{path}: expected a checkpoint of train-cover, came another model's")
    return checkpoint


def network_of(checkpoint: dict[str, Any]) -> StreamingCover:
    """Return the network with the averaged weights of a checkpoint, ready to run."""
    network = StreamingCover(StreamingConfig(**checkpoint["network"]))
    network.load_state_dict(checkpoint["ema"])
    return network.eval()


@torch.inference_mode()
def validate(network: StreamingCover, c: TrainConfig) -> dict[str, float]:
    """Return the loss terms over the validation takes, whole, at the mean style."""
    network.eval()
    takes = read_takes(c.valid)
    style = torch.from_numpy(sum(t.style for t in takes) / len(takes)).float()[None]
    totals: dict[str, float] = {}
    for take in takes:
        features = torch.from_numpy(_whole_steps(take.features))[None].to(c.device)
        labels = rasterize(
            take.notes,
            -network.config.lookahead_frames,
            features.shape[1],
            LOG_STFT_16K.frame_s,
        )
        batch = {k: torch.from_numpy(v)[None].to(c.device) for k, v in labels.items()}
        logits, _ = network(features, style.to(c.device), _state(network, 1, c.device))
        for name, value in cover_loss(logits, batch, c).items():
            totals[name] = totals.get(name, 0.0) + value.item() / len(takes)
    return totals


def _whole_steps(path: Path) -> NDArray[np.float32]:
    """Return a take's features (T, F), T cut to a multiple of the network's step."""
    features = np.load(path)
    return np.asarray(features[: len(features) // STEP_FRAMES * STEP_FRAMES], np.float32)


def _state(network: StreamingCover, batch: int, device: str) -> dict[str, Tensor]:
    return {name: value.to(device) for name, value in network.init_state(batch).items()}


def train(c: TrainConfig, network_config: StreamingConfig) -> Path:
    """Train, or go on training, until ``hours`` are used; return the checkpoint's path."""
    torch.manual_seed(c.seed)
    torch.set_num_threads(c.threads)
    c.out.mkdir(parents=True, exist_ok=True)
    path = c.out / "last.pt"
    network = StreamingCover(network_config).to(c.device)
    ema = get_ema_multi_avg_fn(c.ema_decay)  # type: ignore[no-untyped-call]
    average = AveragedModel(network, multi_avg_fn=ema, use_buffers=True)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=c.weight_decay)
    step, used = 0, 0.0
    if path.is_file():
        checkpoint = load_checkpoint(path)
        network.load_state_dict(checkpoint["model"])
        average.module.load_state_dict(checkpoint["ema"])
        average.n_averaged += checkpoint["step"]
        optimizer.load_state_dict(checkpoint["optimizer"])
        step, used = checkpoint["step"], checkpoint["seconds"]
    crops = Crops(c.train, LOG_STFT_16K, c.n_frames, network_config.lookahead_frames, c.seed + step)
    loader = DataLoader(crops, batch_size=c.batch, num_workers=1, prefetch_factor=4)

    def save() -> None:
        partial = path.with_suffix(".partial")
        torch.save(
            {
                "recipe": "train-cover",
                "network": network_config.to_dict(),
                "train": {f.name: str(getattr(c, f.name)) for f in fields(c)},
                "commit": _commit(),
                "model": network.state_dict(),
                "ema": average.module.state_dict(),
                "optimizer": optimizer.state_dict(),
                "step": step,
                "seconds": used,
                "audio_hours": step * c.batch * c.n_frames * LOG_STFT_16K.frame_s / 3600,
            },
            partial,
        )
        partial.replace(path)

    (c.out / "config.json").write_text(
        json.dumps({**asdict(c), **network_config.to_dict()}, default=str, indent=1)
    )
    last_save = last_log = time.monotonic()
    running: dict[str, float] = {}
    bar = tqdm(total=round(c.hours * 60), initial=round(used / 60), unit="min", desc="train")
    network.train()
    try:
        for batch in loader:
            started = time.monotonic()
            batch = {name: value.to(c.device) for name, value in batch.items()}
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, used / (c.hours * 3600), c)
            logits, _ = network(
                batch["features"], batch["style"], _state(network, c.batch, c.device)
            )
            terms = cover_loss(logits, batch, c)
            loss = torch.stack(list(terms.values())).sum()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            average.update_parameters(network)
            step += 1
            for name, value in terms.items():
                running[name] = 0.98 * running.get(name, value.item()) + 0.02 * value.item()
            now = time.monotonic()
            used += now - started
            bar.n = round(used / 60)
            if now - last_log > 30:
                speed = c.batch * c.n_frames * LOG_STFT_16K.frame_s / (now - started)
                facts = {"step": step, "minutes": used / 60, "times_real_time": speed, **running}
                with (c.out / "log.jsonl").open("a") as file:
                    file.write(json.dumps({k: round(v, 5) for k, v in facts.items()}) + "\n")
                bar.set_postfix({k: f"{v:.4f}" for k, v in running.items()} | {"step": step})
                last_log = now
            if now - last_save > SAVE_EVERY_S:
                save()
                last_save = now
            if used >= c.hours * 3600:
                break
    finally:
        save()
        bar.close()
    result = validate(network_of(load_checkpoint(path)).to(c.device), c)
    log.info("validation after %d steps: %s", step, result)
    with (c.out / "log.jsonl").open("a") as file:
        file.write(json.dumps({"step": step, "validation": result}) + "\n")
    return path


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
