"""Rendering and training past one machine, by Ray; a local cluster of a few workers by default.

Rendering: a task is one shard of ``prepare.plan``, whose bytes depend on the plan and its
seeds alone, so the manifest's hash is the same for any number of workers; the driver alone writes
the manifest. Training: the recipe of ``train_cover`` in each worker of a ``worker_group``; how
their steps add up to one is ``data_parallel``'s matter. Folders must lie where
every machine of the cluster sees them under the same path. Both resume by the same command, and
run without Ray on one machine: ``prepare.prepare`` and ``train_cover.train``. Needs the extra
``cluster``.
"""

import dataclasses
import logging
import os
import secrets
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from engine.core.errors import ConfigError, DataError, LiveCoverError
from engine.system.extras import needs
from offline_train.data.jobs import Jobs, Lines, run_job
from offline_train.data.prepare import PrepareConfig, prepare
from offline_train.data.shards import ShardLine, is_whole
from offline_train.recipes.cover import train
from offline_train.recipes.worker_group import WorkerGroup, first_done
from offline_train.training.cover.settings import CoverSettings

log = logging.getLogger(__name__)

RETRIES = 3  # of a shard, or of training, when a worker dies; our own errors end it at once
STARTS = 3  # attempts: Ray gives its own processes 15 s
TASKS_PER_WORKER = 2  # given out at a time
LOCAL_STORE_BYTES = 100_000_000


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where work runs: ``workers`` processes, each with a CPU or a GPU of its own.

    Without an ``address`` a cluster is started on this machine, on the loopback interface and
    without a dashboard, and stopped when the work is done; ``scratch`` is where it keeps its
    logs, Ray's choice if None.
    """

    workers: int = 2
    gpus: bool = False
    address: str | None = None
    scratch: Path | None = None


def _ray() -> ModuleType:
    try:
        import ray
    except ImportError as error:
        raise ConfigError(needs("a cluster needs ray", "cluster")) from error
    return ray


@contextmanager
def connected(cluster: Cluster) -> Iterator[None]:
    """Connect to the cluster, starting a local one if it has no address; leave it in the end.

    A connection that is there already is used and kept.

    Raises
    ------
    ConfigError
        If Ray is not installed, or does not start or answer.
    """
    if cluster.workers < 1:
        raise ConfigError(f"expected one worker or more, got {cluster.workers}")
    if cluster.address is None:
        # Off, Ray stays on the loopback interface, on Linux too; it is read at import.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    # A worker that is killed for want of memory has died like any other, not without end.
    os.environ.setdefault("RAY_task_oom_retries", str(RETRIES))
    ray = _ray()
    if ray.is_initialized():
        yield
        return
    options: dict[str, Any] = {"address": cluster.address}
    if cluster.address is None:
        options = {
            "num_cpus": cluster.workers,
            "include_dashboard": False,
            "_node_ip_address": "127.0.0.1",
            "object_store_memory": LOCAL_STORE_BYTES,
            "runtime_env": {"env_vars": {"GLOO_SOCKET_IFNAME": _loopback()}},
        }
        if cluster.scratch is not None:
            options["_temp_dir"] = str(cluster.scratch.resolve())
    _start(ray, cluster, options)
    try:
        yield
    finally:
        ray.shutdown()


def _start(ray: ModuleType, cluster: Cluster, options: dict[str, Any]) -> None:
    """Connect, or start a local cluster; on a busy machine it may take more than one attempt."""
    for attempts_left in reversed(range(STARTS if cluster.address is None else 1)):
        try:
            ray.init(log_to_driver=False, logging_level=logging.WARNING, **options)
            return
        except Exception as error:  # Ray raises many kinds, Exception itself when it is slow
            ray.shutdown()
            if not attempts_left:
                where = cluster.address or "this machine"
                raise ConfigError(
                    f"expected a Ray cluster at {where}, could not use it ({error})"
                ) from error


def _loopback() -> str:
    """Return the name of the loopback interface."""
    return next((name for _, name in socket.if_nameindex() if name.startswith("lo")), "lo")


def render_on_cluster(config: PrepareConfig, cluster: Cluster) -> int:
    """Render the shards that are missing, a task each; return how many pieces are there.

    What is rendered is kept when the work is interrupted; a shard whose worker dies is given
    to another.

    Raises
    ------
    DataError
        If a shard cannot be made, or does not appear in ``config.out`` as seen from here.
    ConfigError
        If there is no cluster to run on.
    """
    config = dataclasses.replace(config, data=config.data.resolve(), out=config.out.resolve())
    return prepare(config, partial(_on_cluster, cluster))


def _on_cluster(cluster: Cluster, jobs: Jobs) -> Lines:
    """Do jobs, a task each; a few are given out at a time."""
    if not jobs:
        return
    waiting = list(jobs)[::-1]
    running: dict[Any, Path] = {}
    with connected(cluster):
        ray = _ray()
        task = ray.remote(num_cpus=1, max_retries=RETRIES)(run_job)
        try:
            while waiting or running:
                while waiting and len(running) < cluster.workers * TASKS_PER_WORKER:
                    path = waiting.pop()
                    running[task.remote(path, jobs[path])] = path
                (done, *_), _ = first_done(ray, list(running))
                yield _line(running.pop(done), done)
        finally:
            for left in running:
                ray.cancel(left, force=True)


def _line(path: Path, done: Any) -> ShardLine:
    """Return the line of the shard that a task has written; raise DataError if it has not."""
    ray = _ray()
    try:
        line: ShardLine = ray.get(done)
    except ray.exceptions.RayTaskError as error:
        raise _own(error, path.name) from error
    except ray.exceptions.RayError as error:  # killed, and so were its successors
        raise _died(path.name) from error
    if not is_whole(path.parent, line):
        raise DataError(
            f"{path}: a worker wrote it, but here it is missing or cut short; "
            "name a folder that all machines share"
        )
    return line


def _own(error: BaseException, what: str) -> LiveCoverError:
    """Return the error of ours that a worker raised; one that names any other."""
    cause = getattr(error, "cause", None) or error
    if isinstance(cause, LiveCoverError):
        return cause
    return DataError(f"{what}: expected a worker to finish it, it raised {cause!r}")


def train_on_cluster(c: CoverSettings, cluster: Cluster) -> Path:
    """Train, or resume, with several workers; return the checkpoint's path.

    ``c.batch`` is what one worker takes at a time. When a worker dies, all of them resume from the
    last checkpoint.

    Raises
    ------
    LiveCoverError
        What the recipe raises.
    ConfigError
        If there is no cluster to run on.
    """
    c = dataclasses.replace(
        c,
        prepared=c.prepared.resolve(),
        out=c.out.resolve(),
        start_from=c.start_from and c.start_from.resolve(),
    )
    run_workers(_train, {"settings": c}, cluster)
    return c.out / "last.pt"


def _train(arguments: dict[str, Any]) -> None:
    train(arguments["settings"])


def run_workers(
    function: Callable[[dict[str, Any]], None], arguments: dict[str, Any], cluster: Cluster
) -> None:
    """Run a function in every worker, joined in a process group.

    When a worker dies, all begin again, so the function must go on from what it has saved.

    Raises
    ------
    LiveCoverError
        The first error of ours that a worker raised.
    DataError
        Naming any other.
    ConfigError
        If the cluster has not enough free CPUs or GPUs.
    """
    with connected(cluster):
        ray = _ray()
        for attempts_left in reversed(range(RETRIES + 1)):
            with WorkerGroup(ray, cluster.workers, cluster.gpus) as group:
                failures = group.run(function, arguments)
            if not failures:
                return
            cause, has_died = _cause(failures)
            if not has_died:
                raise _own(cause, "training") from failures[0]
            if not attempts_left:
                raise _died("training") from failures[0]
            log.warning("a worker died; all go on from the last checkpoint")


def _cause(failures: Sequence[BaseException]) -> tuple[BaseException, bool]:
    """Return what went wrong in some workers at first, and whether it was that one died.

    The others' group breaks with it.
    """
    causes: list[BaseException] = [
        getattr(failure, "cause", None) or failure for failure in failures
    ]
    ours = [cause for cause in causes if isinstance(cause, LiveCoverError)]
    deaths = [cause for cause in causes if type(cause).__module__.startswith("ray.")]
    return (ours or deaths or causes)[0], bool(deaths) and not ours


def _died(what: str) -> DataError:
    """Return the error that a worker dies at it again and again."""
    return DataError(
        f"{what}: its worker died {RETRIES + 1} times, out of memory perhaps; "
        "run the same command again, with fewer workers"
    )
