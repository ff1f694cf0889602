"""The recipe of the streaming cover model: data, loop, validation, save (``learner`` has a step).

Time, not epochs, is the budget (``hours``): the learning rate follows the share of it that is
used, so a run that is stopped and resumed ends as planned. Ctrl-C and SIGTERM leave a loadable
checkpoint. One process, or several by ``torchrun`` or Ray (``data_parallel``): the same program.
"""

import json
import logging
import time
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from engine.core.errors import DataError, ModelError
from models.features import LOG_STFT_16K, Features
from models.streaming import StreamingConfig, StreamingCover
from offline_train.data.dataset import Crops, Numbered
from offline_train.data.shards import read_shards
from offline_train.training.checkpoints import check_same_run
from offline_train.training.data_parallel import agree, join, rank, share_weights, world_size
from offline_train.training.interrupts import Stopping, ignore_interrupts
from offline_train.training.learner import (
    Learner,
    Part,
    TrainConfig,
    hear,
    initial_state,
    load_checkpoint,
    network_of,
)
from offline_train.training.losses import cover_loss
from offline_train.training.running import SAVE_EVERY_S, append_log

log = logging.getLogger(__name__)

LOG_EVERY_S = 30.0
VALIDATION_CROPS = 96
SHARES: dict[Part, dict[str, float]] = {
    "all": {"train": 0.63, "recordings": 0.2, "giantmidi-solo-train": 0.17},
    "transcriber": {"train": 0.17, "recordings": 0.08, "giantmidi-solo-train": 0.75},
}
SHARES["heads"] = SHARES["all"]
"""Folders of prepared shards, and how often each is heard, by what learns."""


@torch.inference_mode()
def validate(network: StreamingCover, c: TrainConfig) -> dict[str, float]:
    """Return the loss terms over the same random crops of the validation shards each time."""
    layer = Features(LOG_STFT_16K).to(c.device)
    crops = Crops({c.valid: 1.0}, LOG_STFT_16K, c.n_frames, network.config.lookahead_frames, seed=0)
    totals: dict[str, float] = {}
    loader = DataLoader(crops, batch_size=8)
    for _, batch in zip(range(VALIDATION_CROPS // 8), loader, strict=False):
        batch = {name: value.to(c.device) for name, value in batch.items()}
        features = hear(layer, batch["samples"], batch["shift"])
        logits, _ = network(features, batch["style"], initial_state(network, 8, c.device))
        for name, value in cover_loss(logits, batch, c.weights).items():
            totals[name] = totals.get(name, 0.0) + value.item() * 8 / VALIDATION_CROPS
    return totals


def train(c: TrainConfig, network_config: StreamingConfig) -> Path:
    """Train, or go on training, until ``hours`` are used; return the checkpoint's path.

    Raises
    ------
    DataError
        If there is nothing to train on, or a loss is not a number.
    ModelError
        If ``last.pt`` or ``start_from`` is no checkpoint of this recipe, ``last.pt`` is of another
        network, or ``start_from`` of a wider one.
    """
    torch.set_num_threads(c.threads)
    if not c.shares:
        raise DataError(f"{c.out}: nothing to train on; run livecover-train prepare first")
    for folder in c.shares:
        read_shards(Path(folder))  # before anything is written: it says what is missing
    join(c.device)
    torch.manual_seed(c.seed)
    c.out.mkdir(parents=True, exist_ok=True)
    path = c.out / "last.pt"
    learner = Learner(c, network_config)
    if path.is_file():
        checkpoint = load_checkpoint(path)
        before = checkpoint["network"] | {"part": checkpoint["train"]["part"]}
        check_same_run(path, before, network_config.to_dict() | {"part": c.part})
        learner.go_on(checkpoint, path)
    elif c.start_from is not None:
        try:
            learner.begin_with(load_checkpoint(c.start_from))
        except ValueError as error:
            raise ModelError(
                f"{c.start_from}: cannot begin with it: {error}; leave out the options of size to"
                " have a network as large as there"
            ) from error
    share_weights(learner.network)
    if rank() == 0:
        facts = json.dumps({**asdict(c), **network_config.to_dict()}, default=str, indent=1)
        (c.out / "config.json").write_text(facts)
    shares = {Path(folder): share for folder, share in c.shares.items()}
    seed = c.seed * world_size() + rank()
    crops = Crops(shares, LOG_STFT_16K, c.n_frames, network_config.lookahead_frames, seed)
    loader = DataLoader(
        Numbered(crops, seed, c.batch, first=learner.n_steps),
        batch_size=c.batch,
        num_workers=1,
        prefetch_factor=4,
        worker_init_fn=ignore_interrupts,
        generator=torch.Generator(),  # the loader's own: it draws when it begins
    )
    try:
        with Stopping() as stopping:
            _loop(learner, loader, path, stopping)
    finally:
        if rank() == 0:
            learner.save(path)
    if rank() == 0:
        result = validate(network_of(load_checkpoint(path)).to(c.device), c)
        log.info("validation after %d steps: %s", learner.n_steps, result)
        append_log(c.out, {"step": learner.n_steps, "validation": result})
    return path


def _loop(
    learner: Learner, loader: "DataLoader[dict[str, Tensor]]", path: Path, stopping: Stopping
) -> None:
    c = learner.c
    budget = c.hours * 3600
    if learner.seconds >= budget:
        return
    last_save = last_log = last = time.monotonic()
    running: dict[str, float] = {}
    audio_before = learner.audio_seconds
    bar = tqdm(
        total=round(c.hours * 60), initial=round(learner.seconds / 60), unit="min", desc="train",
        disable=rank() > 0,
    )  # fmt: skip
    for batch in loader:
        terms = learner.step(batch)
        for name, value in terms.items():
            running[name] = 0.98 * running.get(name, value) + 0.02 * value
        now = time.monotonic()
        learner.seconds = agree(learner.seconds + now - last)
        last = now
        if rank() == 0:
            bar.n = round(learner.seconds / 60)
            if now - last_log > LOG_EVERY_S:
                speed = (learner.audio_seconds - audio_before) / (now - last_log)
                audio_before, last_log = learner.audio_seconds, now
                facts = {"minutes": learner.seconds / 60, "times_real_time": speed, **running}
                append_log(
                    c.out, {"step": learner.n_steps} | {k: round(v, 5) for k, v in facts.items()}
                )
                bar.set_postfix({k: f"{v:.4f}" for k, v in running.items()})
            if now - last_save > SAVE_EVERY_S:
                learner.save(path)
                last_save = now
        if agree(float(stopping.is_asked)):  # the first worker's, so that all stop at one step
            raise KeyboardInterrupt
        if learner.seconds >= budget:
            break
    bar.close()
