"""Workers of a Ray cluster that train together: processes joined in one group of ``torch``.

Ray's own trainer was left: on a busy machine it waits without end now and then, where no signal
reaches it. Not here: the cluster, who begins again, what the workers do.
"""

import os
import socket
import time
from collections.abc import Callable, Sequence
from types import ModuleType, TracebackType
from typing import Any, Self

from engine.core.errors import ConfigError

Function = Callable[[dict[str, Any]], None]

POLL_S = 0.1
START_S = 600.0  # that the workers are given, on a busy machine
BROKEN_S = 10.0  # after one worker's failure, in which others tell of theirs


class WorkerGroup:
    """Processes with a CPU or a GPU of their own, on any machines of the cluster.

    Parameters
    ----------
    ray
        The module, connected to a cluster.
    n
        How many.
    gpus
        Whether each needs a GPU.
    """

    def __init__(self, ray: ModuleType, n: int, gpus: bool) -> None:
        self._ray, self._device = ray, "cuda" if gpus else "cpu"
        actor = ray.remote(num_cpus=1, num_gpus=int(gpus))(_Worker)
        self._workers = [actor.remote() for _ in range(n)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the processes."""
        for worker in self._workers:
            self._ray.kill(worker)

    def run(self, function: Function, arguments: dict[str, Any]) -> list[BaseException]:
        """Run a function in each worker; return [], or what ended those that failed.

        Raises
        ------
        ConfigError
            If they do not start in time.
        """
        places = [worker.place.remote() for worker in self._workers]
        if failures := self._until_all_are_done(places, START_S):
            return failures
        host, port = self._ray.get(places[0])
        n = len(self._workers)
        group = {"MASTER_ADDR": host, "MASTER_PORT": str(port), "WORLD_SIZE": str(n)}
        runs = [
            worker.run.remote(
                function, arguments, self._device, group | {"RANK": str(k), "LOCAL_RANK": str(k)}
            )
            for k, worker in enumerate(self._workers)
        ]
        return self._until_all_are_done(runs)

    def _until_all_are_done(
        self, left: Sequence[Any], limit_s: float = float("inf")
    ) -> list[BaseException]:
        """Wait for answers; return what went wrong in the first worker that fails, and in others.

        Where one fails, the others' group breaks, or they wait for it.
        """
        failures: list[BaseException] = []
        end = time.monotonic() + limit_s
        while left and time.monotonic() < end:
            done, left = first_done(self._ray, left, end - time.monotonic())
            found = [error for answer in done if (error := self._failure(answer))]
            if found and not failures:
                end = time.monotonic() + BROKEN_S
            failures += found
        if left and not failures:
            raise ConfigError(
                f"expected {len(self._workers)} free workers, {len(left)} of them did not start"
                f" in {limit_s:.0f} s: the cluster has too few or is busy; take fewer (--workers)"
            )
        return failures

    def _failure(self, answer: Any) -> BaseException | None:
        """Return the error that an answer, which is there, is in place of; None if it is none."""
        try:
            self._ray.get(answer)
        except self._ray.exceptions.RayError as error:
            failure: BaseException = error
            return failure
        return None


class _Worker:
    """One process of the group."""

    def place(self) -> tuple[str, int]:
        """Return the address of its machine, and a port that is free there."""
        from ray import util

        ray_util: Any = util  # without types
        with socket.socket() as free:
            free.bind(("", 0))
            return ray_util.get_node_ip_address(), free.getsockname()[1]

    def run(
        self,
        function: Function,
        arguments: dict[str, Any],
        device: str,
        group: dict[str, str],
    ) -> None:
        """Join the group that the environment variables name, and run the function."""
        from offline_train.training.data_parallel import join

        os.environ.update(group)
        join(device)
        function(arguments)


def first_done(
    ray: ModuleType, answers: Sequence[Any], limit_s: float = float("inf")
) -> tuple[list[Any], list[Any]]:
    """Return the answers that are there, once one is or the time is over, and the others.

    It waits in Python, where signals end it.
    """
    end = time.monotonic() + limit_s
    while True:
        done, left = ray.wait(list(answers), num_returns=len(answers), timeout=0)
        if done or time.monotonic() >= end:
            return done, left
        time.sleep(POLL_S)
