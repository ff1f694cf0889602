"""Renders songs by small sounds in processes of their own while a training learns from them.

``livecover-train prepare`` does it, so that what is there already is not done again, and shards
join in as they appear (``data.sampler``). Not here: the training.
"""

import contextlib
import logging
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.core.errors import DataError
from offline_train.corpora import open_corpus
from offline_train.corpora.text_files import read_json
from offline_train.data.prepare import PrepareConfig, prepare
from offline_train.data.shards import read_manifest

log = logging.getLogger(__name__)

PIECES_IN_SHARD = 2  # few: what is rendered joins in soon
END_S = 5.0  # that the processes are given to end
WAIT_S = 1.0


@dataclass(frozen=True, slots=True)
class RenderConfig:
    """What is rendered: ``songs`` of POP909 and ``solos`` of GiantMIDI-Piano, in ``workers``.

    Training begins once there are ``least`` pieces of each; ``valid`` songs are kept apart.
    """

    data: Path
    prepared: Path
    workers: int
    excerpt_s: float = 60.0
    songs: int = 800
    solos: int = 400
    least: int = 16
    valid: int = 8
    seed: int = 1

    def jobs(self) -> list[PrepareConfig]:
        """Return what is rendered while it trains; of songs the greater part of the workers."""
        n_songs = max(round(0.75 * self.workers), 1)
        jobs = [self._job("pop909", self.songs, n_songs)]
        if self.solos:
            jobs.append(self._job("giantmidi", self.solos, max(self.workers - n_songs, 1)))
        return jobs

    def _job(self, corpus: str, pieces: int, workers: int) -> PrepareConfig:
        ids = open_corpus(corpus, self.data / corpus).ids("train")
        is_solo = corpus != "pop909"
        return PrepareConfig(
            self.data,
            self.prepared / (f"{corpus}-solo-train" if is_solo else "train"),
            corpus=corpus,
            solo=is_solo,
            excerpt_s=self.excerpt_s,
            takes=math.ceil(pieces / max(len(ids), 1)),
            pieces=PIECES_IN_SHARD,
            seed=self._seed(self.prepared / "train"),
            workers=workers,
            limit=min(pieces, len(ids)),
            sounds="small",
        )

    def _seed(self, folder: Path) -> int:
        """Return the seed of what is rendered already, or this one."""
        path = folder / "config.json"
        return int(read_json(path)["seed"]) if path.is_file() else self.seed

    def validation(self) -> PrepareConfig:
        """Return the songs that are kept apart."""
        return PrepareConfig(
            self.data,
            self.prepared / "valid",
            split="valid",
            excerpt_s=self.excerpt_s / 2,
            pieces=1,
            workers=self.workers,
            limit=self.valid,
            sounds="small",
        )


@contextmanager
def rendering(c: RenderConfig) -> Iterator[None]:
    """Render validation, then the rest in the background, for as long as the block lasts.

    Raises
    ------
    DataError
        If a process ends without having rendered enough; its log is named.
    """
    prepare(c.validation())
    jobs = c.jobs()
    processes = [(job, _start(job)) for job in jobs]
    try:
        for job, process in processes:
            _await_pieces(job, process, min(c.least, job.limit * job.takes))
        yield
    finally:
        for _, process in processes:
            _end(process)


def _log_of(job: PrepareConfig) -> Path:
    return job.out.with_name(f"{job.out.name}.log")


def _start(job: PrepareConfig) -> "subprocess.Popen[bytes]":
    options = {
        "--data": job.data,
        "--out": job.out.parent,
        "--corpus": job.corpus,
        "--excerpt": job.excerpt_s,
        "--takes": job.takes,
        "--pieces": job.pieces,
        "--seed": job.seed,
        "--workers": job.workers,
        "--limit": job.limit,
        "--sounds": job.sounds,
    }
    words = [str(word) for option in options.items() for word in option]
    command = [sys.executable, "-m", "offline_train", "prepare", *words]
    with _log_of(job).open("ab") as said:
        return subprocess.Popen(
            [*command, "--solo"] if job.solo else command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )


def _await_pieces(job: PrepareConfig, process: "subprocess.Popen[bytes]", wanted: int) -> None:
    """Wait until so many pieces are there. Raises DataError if the process ends before."""
    while True:
        is_over = True
        try:
            process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            is_over = False
        there = sum(line.pieces for line in read_manifest(job.out).values())
        if there >= wanted:
            log.info("%s: %d pieces are there, more are rendered meanwhile", job.out, there)
            return
        if is_over:
            raise DataError(
                f"{job.out}: expected {wanted} rendered pieces, its process ended with {there}; "
                f"see {_log_of(job)}"
            )


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a process and those that it has started; shards appear whole or not at all."""
    for what in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, what)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_S)
