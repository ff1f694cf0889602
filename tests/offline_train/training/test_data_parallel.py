"""Two workers with half a batch each take the very step of one worker with all of it."""

import copy
import itertools
import multiprocessing
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch import distributed as dist

from engine.core.errors import ConfigError
from models.features import LOG_STFT_16K
from models.streaming import StreamingConfig
from offline_train.data.dataset import CoverCrops
from offline_train.training.cover.settings import CoverSettings
from offline_train.training.cover.task import CoverTask
from offline_train.training.data_parallel import (
    GlobalBatchNorm,
    global_batch_norm,
    own_share,
    rank,
    scaled,
    share_of,
    whole_batch,
    world_size,
)
from offline_train.training.loading import load_batches
from offline_train.training.loop import train_step
from tests.offline_train.shard_fixtures import recording, song, write_folder

SMALL = StreamingConfig(conv_channels=4, channels=8, trunk=8, context=8, hidden=8)
BATCH, STEPS = 6, 5
needs_fork = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="needs processes that fork"
)


def network_and_batches() -> tuple[nn.Module, list[dict[str, Tensor]]]:
    """A network with batch normalisation twice over, in double precision, and its batches."""
    torch.manual_seed(7)
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 8),
        nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 3),
    ).double()  # fmt: skip
    batches = [
        {
            "x": 3 + 2 * torch.randn(BATCH, 1, 6, 6, dtype=torch.float64),
            "y": torch.rand(BATCH, 3, dtype=torch.float64).round(),
        }
        for _ in range(STEPS)
    ]
    return network, batches


def ratio_loss(out: dict[str, Tensor], batch: dict[str, Tensor]) -> Tensor:
    """A mean over what is labelled in the whole batch: no mean of the halves' means."""
    return ((out["z"] - batch["y"]).square() * batch["y"]).sum() / batch["y"].sum().clamp(min=1)


def train_some_steps(network: nn.Module, batches: list[dict[str, Tensor]]) -> dict[str, Any]:
    """The loop that a recipe has; returns losses and the state in the end."""
    network = global_batch_norm(network).train()
    wrapped = nn.parallel.DistributedDataParallel(network) if world_size() > 1 else network
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.02)
    losses = []
    for batch in batches:
        own = own_share(batch)
        loss = ratio_loss(whole_batch({"z": wrapped(own["x"])}), whole_batch({"y": own["y"]}))
        optimizer.zero_grad()
        scaled(loss).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    return {"losses": losses, "state": network.state_dict()}


def recipe_steps(out: Path) -> None:
    """Take steps of the cover recipe, consistency among its terms, on songs and recordings."""
    torch.manual_seed(5)
    c = CoverSettings(
        out / "run",
        prepared=out,
        shares={"songs": 1.0, "real": 1.0},
        network=SMALL,
        hours=100,
        n_frames=64,
        batch=4,
        warmup_steps=1,
        consistency_from=0.0,
    )
    task, schedule = CoverTask(c), c.schedule()
    crops = CoverCrops(c.folders(), LOG_STFT_16K, c.n_frames, SMALL.lookahead_frames)
    batches = itertools.islice(load_batches(crops, 3, c.batch, workers=0), STEPS)
    terms = [
        train_step(task, schedule, own_share(batch), step, 0.0, "here")
        for step, batch in enumerate(batches)
    ]
    assert any("consistency" in each for each in terms)
    torch.save(terms, out / f"{rank()}.pt")


def check_whole_batch(out: Path) -> None:
    """Gradients flow to one's own part alone; the parts come back in the order of the workers."""
    own = torch.full((2, 1), float(rank()), requires_grad=True)
    whole = whole_batch({"a": own})["a"]
    whole.sum().backward()  # type: ignore[no-untyped-call]
    assert own.grad is not None
    torch.save((whole.detach(), own.grad), out / f"{rank()}.pt")
    with pytest.raises(ConfigError, match="2 workers can share evenly, got 5"):
        share_of(5)


def save_some_steps(out: Path) -> None:
    torch.save(train_some_steps(*network_and_batches()), out / f"{rank()}.pt")


def _work(number: int, port: int, task: Callable[[Path], None], out: Path) -> None:
    torch.set_num_threads(1)  # as in any process forked by a DataLoader
    store = dist.TCPStore("127.0.0.1", port, 2, is_master=number == 0)  # type: ignore[attr-defined]
    dist.init_process_group("gloo", store=store, rank=number, world_size=2)
    task(out)
    dist.destroy_process_group()


def in_two_workers(task: Callable[[Path], None], out: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What ``task`` saved in each of two processes, joined by gloo on the loopback interface."""
    names = [name for _, name in socket.if_nameindex() if name.startswith("lo")]
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", names[0])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    fork = multiprocessing.get_context("fork")  # torch is imported already
    workers = [fork.Process(target=_work, args=(k, port, task, out)) for k in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    return [torch.load(out / f"{k}.pt") for k in range(2)]


def test_without_a_group_nothing_changes() -> None:
    network, (batch, *_) = network_and_batches()
    assert (world_size(), rank(), share_of(5)) == (1, 0, 5)
    assert global_batch_norm(network) is network
    assert not any(isinstance(m, GlobalBatchNorm) for m in network.modules())
    assert whole_batch(batch) is batch and own_share(batch)["x"].equal(batch["x"])
    assert scaled(torch.tensor(2.0)) == 2.0


def test_a_converted_norm_alone_is_torchs_own() -> None:
    network, (batch, *_) = network_and_batches()
    plain = network[1]  # type: ignore[index]
    converted = GlobalBatchNorm.like(copy.deepcopy(plain))
    x = batch["x"].expand(-1, 4, -1, -1)
    for norm in (plain, converted):
        norm(x)
    torch.testing.assert_close(converted.state_dict(), plain.state_dict(), rtol=0, atol=0)
    torch.testing.assert_close(converted.eval()(x), plain.eval()(x), rtol=0, atol=0)


@needs_fork
def test_two_workers_equal_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = train_some_steps(*network_and_batches())
    assert alone["losses"][-1] < alone["losses"][0]
    for result in in_two_workers(save_some_steps, tmp_path, monkeypatch):
        # Double precision: sums in another order differ by 1e-16, and Adam makes more of it where
        # a gradient is nothing else (a bias before a normalisation: 1e-16 / eps of 1e-8).
        torch.testing.assert_close(result["losses"], alone["losses"], rtol=1e-10, atol=0)
        torch.testing.assert_close(result["state"], alone["state"], rtol=1e-9, atol=1e-8)


@needs_fork
def test_the_whole_batch_comes_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for whole, gradient in in_two_workers(check_whole_batch, tmp_path, monkeypatch):
        assert whole.flatten().tolist() == [0, 0, 1, 1]
        assert gradient.flatten().tolist() == [1, 1]


@needs_fork
def test_two_workers_take_the_recipes_steps_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path / "songs", [song("a", 3.0), song("b", 2.0)])
    write_folder(tmp_path / "real", [recording("c", 3.0)])
    recipe_steps(tmp_path)
    one = torch.load(tmp_path / "0.pt")
    for two in in_two_workers(recipe_steps, tmp_path, monkeypatch):
        # Single precision. Weights are not compared: Adam makes much of a bias before a
        # normalisation, whose gradient is rounding alone, and nothing comes of it.
        torch.testing.assert_close(two, one, rtol=1e-4, atol=1e-6)
