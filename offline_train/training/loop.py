"""The training loop of every recipe.

A recipe gives a ``Task``: batches, the loss of one, validation, and what a checkpoint must hold
beside the weights. The loop owns steps, learning rate, time budget, checkpoints, log, interrupts
and several processes (``data_parallel``). A run's folder holds ``last.pt``, from which it resumes,
and ``log.jsonl``. A checkpoint holds the state of every random generator and the number of the next
batch, so a run that was interrupted ends, on a CPU, as one that was not. Not here: networks,
losses, data, settings.
"""

import json
import logging
import math
import time
from pathlib import Path
from typing import Any, Generic

import torch
from tqdm import tqdm

from engine.core.errors import ConfigError, DataError, LiveCoverError, ModelError
from offline_train.training.checkpoints import (
    check_same_run,
    commit,
    random_state,
    read_checkpoint,
    restore_random_state,
    write_checkpoint,
)
from offline_train.training.data_parallel import (
    agree,
    average_gradients,
    rank,
    scaled,
    share_weights,
    world_size,
)
from offline_train.training.interrupts import InterruptFlag
from offline_train.training.schedule import Schedule
from offline_train.training.task import Batch, Task

log = logging.getLogger(__name__)

SAVE_EVERY_S = 60.0
LOG_EVERY_S = 30.0
SMOOTHING = 0.98
"""Of the losses in the log: an exponential moving average over steps."""


class TrainingLoop(Generic[Batch]):
    """A task's run in a folder; resumes from ``last.pt`` if it is there.

    ``best`` is the file of the best checkpoint, if the task has a score. With ``is_new`` the run
    begins anew, whatever ``last.pt`` holds: it is the next stage of a recipe.

    Raises
    ------
    ConfigError
        If torchrun started several processes and the task is for one.
    ModelError
        If the folder holds a run of another recipe or with other settings.
    """

    def __init__(
        self,
        task: Task[Batch],
        schedule: Schedule,
        out: Path,
        best: str = "best.pt",
        is_new: bool = False,
    ) -> None:
        if world_size() > 1 and not task.is_parallel:
            raise ConfigError(
                f"{task.recipe} trains in one process, got {world_size()}; leave torchrun out"
            )
        self.task, self.schedule, self.out = task, schedule, out
        self.last, self.best = out / "last.pt", out / best
        self.step, self.seconds, self.validated_s = 0, 0.0, 0.0
        self.best_score = -math.inf
        self.validation: dict[str, Any] = {}
        self.smoothed: dict[str, float] = {}
        out.mkdir(parents=True, exist_ok=True)
        if self.last.is_file() and not is_new:
            self._resume()
        share_weights(task.network)

    @property
    def progress(self) -> float:
        """The share of the run that is over, 0 to 1."""
        return self.schedule.progress(self.step, self.seconds)

    def run(self) -> None:
        """Take the steps that are left; leave ``last.pt`` and the network trained.

        Raises
        ------
        DataError
            If a loss or a gradient is not a number; ``last.pt`` has the weights before the step.
        KeyboardInterrupt
            After Ctrl-C or SIGTERM, once everything is saved.
        """
        if self.progress >= 1:
            return
        if rank() == 0:
            facts = json.dumps(self.task.settings.plain(), indent=1)
            (self.out / "config.json").write_text(facts, encoding="utf-8")
        with InterruptFlag() as interrupt, self._progress_bar() as bar:
            try:
                self._train(interrupt, bar)
            except LiveCoverError:
                self.save(self.last)
                raise
            self.save(self.last)
        if interrupt.is_set:
            raise KeyboardInterrupt
        if self.progress < 1:
            log.info("%s: the time is over; the same command resumes it", self.out)

    def _train(self, interrupt: InterruptFlag, bar: "tqdm[Any]") -> None:
        batches = self.task.batches(self.step)
        begun = last = last_save = last_log = time.monotonic()
        while self.progress < 1:
            self._take_step(next(batches))
            now = time.monotonic()
            self.seconds, last = agree(self.seconds + now - last), now
            self._show(bar)
            is_due = self.schedule.valid_every and self.step % self.schedule.valid_every == 0
            if is_due or self.progress >= 1:
                self._validate()
                last = last_log = time.monotonic()
            elif now - last_log > LOG_EVERY_S:
                self._log({})
                last_log = now
            if now - last_save > SAVE_EVERY_S:
                self.save(self.last)
                last_save = now
            # The first process's answer, so that all end at the same step.
            if agree(float(interrupt.is_set or now - begun > self.schedule.session_s)):
                return

    def _take_step(self, batch: Batch) -> None:
        where = f"{self.out}, step {self.step}"
        values = train_step(self.task, self.schedule, batch, self.step, self.progress, where)
        self.step += 1
        for name, value in values.items():
            before = self.smoothed.get(name, value)
            self.smoothed[name] = SMOOTHING * before + (1 - SMOOTHING) * value

    def _validate(self) -> None:
        """Validate, on the first process, and keep the checkpoint if it is the best."""
        if rank() > 0:
            return
        self.task.network.eval()
        with torch.no_grad():
            self.validation = self.task.validate(self.step)
        seconds = round(self.seconds - self.validated_s, 6)
        self.validated_s = self.seconds
        self._log({"seconds": seconds, "validation": self.validation})
        score = self.task.score(self.validation)
        if score is not None and score > self.best_score:
            self.best_score = score
            self.save(self.best)

    def _log(self, facts: dict[str, Any]) -> None:
        if rank() == 0:
            losses = {name: round(value, 5) for name, value in self.smoothed.items()}
            minutes = round(self.seconds / 60, 3)
            line = {"step": self.step, "minutes": minutes, **self.task.labels, **losses, **facts}
            append_log(self.out, line)

    def _progress_bar(self) -> "tqdm[Any]":
        return tqdm(
            total=self.schedule.steps or round(self.schedule.seconds / 60),
            initial=self._done(),
            unit="step" if self.schedule.steps else "min",
            desc=self.out.name,
            disable=rank() > 0,
        )

    def _done(self) -> int:
        """Return how far the progress bar is, in its unit."""
        return self.step if self.schedule.steps else round(self.seconds / 60)

    def _show(self, bar: "tqdm[Any]") -> None:
        bar.set_postfix({k: f"{v:.4f}" for k, v in self.smoothed.items()}, refresh=False)
        bar.update(self._done() - bar.n)

    def save(self, path: Path) -> None:
        """Write a checkpoint, whole or not at all. Raises DataError if it cannot be written."""
        if rank() > 0:
            return
        task = self.task
        state = {
            "recipe": task.recipe,
            "train": task.settings.plain(),
            "commit": commit(),
            "step": self.step,
            "seconds": self.seconds,
            "validated_s": self.validated_s,
            "best_score": self.best_score,
            "validation": self.validation,
            "smoothed": self.smoothed,
            "model": task.network.state_dict(),
            "optimizer": task.optimizer.state_dict(),
            "random_state": random_state(*task.generators),
            **task.state(),
        }
        write_checkpoint(path, state)

    def _resume(self) -> None:
        task = self.task
        before = task.upgraded(read_checkpoint(self.last, task.recipe))
        check_same_run(self.last, before["train"], task.settings.fixed())
        try:
            task.network.load_state_dict(before["model"])
            task.optimizer.load_state_dict(before["optimizer"])
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"{self.last}: holds a run of another network; name another folder"
            ) from error
        self.step, self.seconds = before["step"], before["seconds"]
        self.validated_s = before.get("validated_s", self.seconds)
        self.best_score = before.get("best_score", -math.inf)
        self.validation = before.get("validation", {})
        self.smoothed = before.get("smoothed", {})
        task.restore(before)
        restore_random_state(self.last, before, *task.generators)


def train_step(
    task: Task[Batch], schedule: Schedule, batch: Batch, step: int, progress: float, where: str
) -> dict[str, float]:
    """Take one optimizer step on a batch; return the terms of the loss.

    Raises
    ------
    DataError
        If loss or gradients are not numbers; ``where`` says when. The weights are as before.
    """
    optimizer = task.optimizer
    for group in optimizer.param_groups:
        group["lr"] = schedule.rate(step, progress)
    task.train_mode()
    losses = task.loss(batch, progress)
    optimizer.zero_grad(set_to_none=True)
    loss = torch.stack(list(losses.values())).sum()
    scaled(loss).backward()  # type: ignore[no-untyped-call]
    average_gradients(task.network)
    norm = float(torch.nn.utils.clip_grad_norm_(task.network.parameters(), schedule.clip))
    values = {name: term.item() for name, term in losses.items()}
    if not (math.isfinite(loss.item()) and math.isfinite(norm)):
        said = ", ".join(f"{name} {value:g}" for name, value in values.items())
        raise DataError(
            f"{where}: expected a loss and gradients that are numbers, got {said} and a norm of"
            f" {norm:g}; the weights before this step are kept: resume with a lower learning rate,"
            " or look at the data"
        )
    optimizer.step()
    task.after_step()
    return values


def append_log(out: Path, facts: dict[str, Any]) -> None:
    """Add a line to a run's ``log.jsonl``."""
    with (out / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(facts) + "\n")
