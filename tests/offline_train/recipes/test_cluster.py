"""A local Ray cluster of two workers does what one process does, and outlives a worker's death."""

import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.core.errors import ConfigError, DataError
from models.streaming import StreamingConfig, StreamingCover
from offline_train.data import prepare as rendering
from offline_train.data.prepare import PrepareConfig, prepare, render_pieces, shard_name
from offline_train.data.shards import (
    Piece,
    manifest_hash,
    read_manifest,
    write_manifest,
    write_shard,
)
from offline_train.recipes import cluster as cluster_module
from offline_train.recipes import worker_group
from offline_train.recipes.cluster import (
    Cluster,
    _cause,
    _own,
    connected,
    render_on_cluster,
    run_workers,
    train_on_cluster,
)
from offline_train.synthesis import stems
from offline_train.training.cover.losses import Weights, cover_loss
from offline_train.training.cover.settings import CoverSettings
from offline_train.training.cover.task import load_checkpoint, network_of
from offline_train.training.data_parallel import (
    global_batch_norm,
    own_share,
    rank,
    scaled,
    whole_batch,
    world_size,
)
from tests.messages import refused
from tests.offline_train.fixtures import write_data
from tests.offline_train.shard_fixtures import song, write_folder
from tests.programs import needs

pytestmark = pytest.mark.cluster

TEST_FONT = "TimGM6mb.sf2"  # what the tests' machine has
SMALL = StreamingConfig(conv_channels=4, channels=8, trunk=8, context=8, hidden=8)
BATCH, FRAMES, STEPS = 4, 32, 4


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two workers on this machine, started once for the tests that need them."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("needs ray, of the extra cluster")
    scratch = Path(tempfile.mkdtemp(prefix="ray"))  # a short path: it holds sockets
    local = Cluster(2, scratch=scratch)
    with connected(local):
        import ray
        from ray import cloudpickle

        pickler: Any = cloudpickle  # without types
        pickler.register_pickle_by_value(sys.modules[__name__])  # workers do not import tests
        yield local
    assert not ray.is_initialized()
    shutil.rmtree(scratch, ignore_errors=True)


@pytest.fixture
def config(tmp_path: Path) -> PrepareConfig:
    data = write_data(tmp_path / "data", 3)
    return PrepareConfig(data, tmp_path / "out", excerpt_s=2.0, pieces=1)


Wanted = Sequence[tuple[str, int]]


def render_with_test_fonts(config: PrepareConfig, wanted: Wanted) -> Iterator[Piece]:
    for name in ("TRAIN_SOUNDFONTS", "TRAIN_DRUMS"):
        setattr(stems, name, (TEST_FONT,) * 3)
    yield from render_pieces(config, wanted)


def die_once(config: PrepareConfig, wanted: Wanted) -> Iterator[Piece]:
    """Make a shard; the worker that is first given song 001 is killed by it."""
    died = config.out / "died"
    if wanted == [("001", 0)] and not died.exists():
        died.touch()
        os._exit(1)
    yield song(wanted[0][0], 0.5)


def no_room(config: PrepareConfig, wanted: Wanted) -> Iterator[Piece]:
    if wanted == [("001", 0)]:
        raise DataError("001: could not write the shard (disk full)")
    yield song(wanted[0][0], 0.5)


def cover_batches() -> list[dict[str, torch.Tensor]]:
    """Noise with labels; rows differ in what of them counts, so that no half is like the other."""
    batches = []
    for k in range(STEPS):
        draw = torch.Generator().manual_seed(k)
        names = (
            "onset",
            "frame",
            "velocity",
            "melody",
            "transcription_onset",
            "transcription_frame",
        )
        labels = (*names, "transcription_velocity")
        batch = {n: (torch.rand(BATCH, FRAMES, 88, generator=draw) > 0.95).double() for n in labels}
        batch["features"] = torch.randn(BATCH, FRAMES, SMALL.n_bins, generator=draw).double()
        batch["style"] = torch.randn(BATCH, 24, generator=draw).double()
        batch["has_cover"] = torch.tensor([1.0, 0.0, 1.0, 1.0]).double()
        batch["has_transcription"] = torch.tensor([0.0, 1.0, 1.0, 1.0]).double()
        batch["has_melody"] = torch.ones(BATCH).double()
        batch["has_velocity"] = torch.tensor([1.0, 0.0, 0.0, 1.0]).double()
        batches.append(batch)
    return batches


def some_steps(arguments: dict[str, Any]) -> None:
    """Train the small cover network on its share of each batch; rank k leaves ``k.pt``."""
    torch.manual_seed(3)
    torch.set_default_dtype(torch.float64)
    try:
        network = global_batch_norm(StreamingCover(SMALL).double()).train()
        wrapped: torch.nn.Module = network
        if world_size() > 1:
            wrapped = torch.nn.parallel.DistributedDataParallel(network)
        optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
        losses = []
        for batch in cover_batches():
            own = own_share(batch)
            state = network.init_state(len(own["style"]))
            logits, _ = wrapped(own.pop("features"), own.pop("style"), state)
            terms = cover_loss(whole_batch(logits), whole_batch(own), Weights())
            loss = torch.stack(list(terms.values())).sum()
            optimizer.zero_grad()
            scaled(loss).backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.item())
    finally:
        torch.set_default_dtype(torch.float32)
    facts = {"losses": losses, "state": network.state_dict(), "workers": world_size()}
    torch.save(facts, arguments["out"] / f"{rank()}.pt")


def die_in_training(arguments: dict[str, Any]) -> None:
    if rank() == 1:
        os._exit(1)
    torch.distributed.barrier()


def die_in_training_once(arguments: dict[str, Any]) -> None:
    died: Path = arguments["out"] / "died"
    if not died.exists():
        torch.distributed.barrier()  # so that both have seen that none has died
        if rank() == 1:
            died.touch()
            os._exit(1)
    torch.distributed.barrier()
    (arguments["out"] / str(rank())).touch()


def refuse(arguments: dict[str, Any]) -> None:
    if rank() == 1:
        raise DataError("train: expected shards")
    torch.distributed.barrier()  # the other waits, and is not waited for


@pytest.mark.slow
@needs("fluidsynth", "mma", "espeak-ng")
def test_two_workers_render_the_same_bytes_as_one_process(
    cluster: Cluster, config: PrepareConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(rendering, "render_pieces", render_with_test_fonts)
        assert render_on_cluster(config, cluster) == 3
    for name in ("TRAIN_SOUNDFONTS", "TRAIN_DRUMS"):
        monkeypatch.setattr(stems, name, (TEST_FONT,) * 3)
    alone = PrepareConfig(config.data, tmp_path / "alone", excerpt_s=2.0, pieces=1)
    assert prepare(alone) == 3
    assert manifest_hash(config.out) == manifest_hash(alone.out)


@pytest.mark.slow
def test_a_killed_workers_shard_goes_to_another_and_the_rest_resumes(
    cluster: Cluster, config: PrepareConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendering, "render_pieces", die_once)
    assert render_on_cluster(config, cluster) == 3
    assert (config.out / "died").exists()
    before = manifest_hash(config.out)
    path = config.out / shard_name(2)
    path.write_bytes(path.read_bytes()[:-512])
    assert render_on_cluster(config, cluster) == 3
    assert manifest_hash(config.out) == before


@pytest.mark.slow
def test_an_error_of_ours_comes_back_as_it_was(
    cluster: Cluster, config: PrepareConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendering, "render_pieces", no_room)
    with pytest.raises(DataError, match=r"^001: could not write the shard"):
        render_on_cluster(config, cluster)
    monkeypatch.setattr(cluster_module, "is_whole", lambda folder, line: False)  # as seen from here
    monkeypatch.setattr(rendering, "render_pieces", die_once)
    (config.out / "died").touch()
    with pytest.raises(DataError, match="name a folder that all machines share"):
        render_on_cluster(config, cluster)


@pytest.mark.slow
def test_two_workers_take_the_steps_of_one(cluster: Cluster, tmp_path: Path) -> None:
    together, alone = tmp_path / "together", tmp_path / "alone"
    for out in (together, alone):
        out.mkdir()
    run_workers(some_steps, {"out": together}, cluster)
    some_steps({"out": alone})
    one = torch.load(alone / "0.pt")
    assert one["workers"] == 1 and one["losses"][-1] < one["losses"][0]
    for k in range(2):
        two = torch.load(together / f"{k}.pt")
        assert two["workers"] == 2
        # Double precision: sums in another order, 1e-16, grown by four steps of Adam.
        torch.testing.assert_close(two["losses"], one["losses"], rtol=1e-9, atol=0)
        torch.testing.assert_close(two["state"], one["state"], rtol=1e-6, atol=1e-8)


@pytest.mark.slow
def test_the_recipe_trains_on_a_cluster(cluster: Cluster, tmp_path: Path) -> None:
    songs = write_folder(tmp_path / "train", [song("a", 3.0), song("b", 2.0)])
    valid = write_folder(tmp_path / "valid", [song("v", 2.0)])
    c = CoverSettings(
        tmp_path / "out",
        prepared=tmp_path,
        shares={songs.name: 1.0},
        valid=Path(valid.name),
        network=SMALL,
        hours=1e-9,
        n_frames=64,
        batch=2,
    )
    checkpoint = load_checkpoint(train_on_cluster(c, cluster))
    assert checkpoint["step"] == 1  # of two workers' batches
    assert checkpoint["audio_hours"] == pytest.approx(2 * 2 * 64 * 0.016 / 3600)
    assert not network_of(checkpoint).training


@pytest.mark.slow
def test_a_workers_error_ends_training_at_once(cluster: Cluster) -> None:
    with pytest.raises(DataError, match=r"^train: expected shards$"):
        run_workers(refuse, {}, cluster)


@pytest.mark.slow
def test_when_a_worker_dies_all_begin_again(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run_workers(die_in_training_once, {"out": tmp_path}, cluster)
    assert {path.name for path in tmp_path.iterdir()} == {"died", "0", "1"}
    monkeypatch.setattr(cluster_module, "RETRIES", 0)
    with pytest.raises(DataError, match=r"^training: its worker died 1 times"):
        run_workers(die_in_training, {}, cluster)


@pytest.mark.slow
def test_workers_that_do_not_start_are_told(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_group, "START_S", 8.0)
    with refused(ConfigError, "expected 3 free workers, 1 of them did not start", "--workers"):
        run_workers(refuse, {}, Cluster(3))


def test_nothing_is_started_where_nothing_is_missing(
    config: PrepareConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.out.mkdir()
    lines = [write_shard(config.out / shard_name(k), [song(f"{k:03d}", 0.3)]) for k in range(3)]
    write_manifest(config.out, lines)
    monkeypatch.setitem(sys.modules, "ray", None)
    assert render_on_cluster(config, Cluster()) == 3
    assert len(read_manifest(config.out)) == 3


def test_what_workers_raised_is_told_from_their_death() -> None:
    class TaskError(Exception):
        """As Ray's RayTaskError."""

        def __init__(self, cause: BaseException) -> None:
            self.cause = cause

    died = type("ActorDiedError", (Exception,), {"__module__": "ray.exceptions"})()
    broken, ours = RuntimeError("gloo: connection closed by peer"), DataError("no shards")
    assert _cause([TaskError(broken), TaskError(ours)]) == (ours, False)
    assert _cause([TaskError(broken)]) == (broken, False)
    assert _cause([TaskError(broken), died]) == (died, True)
    assert _cause([died, TaskError(ours)]) == (ours, False)
    assert _own(broken, "training").args[0].endswith(f"it raised {broken!r}")
    assert _own(ours, "training") is ours


def test_without_ray_the_extra_is_named(
    config: PrepareConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with refused(ConfigError, "ray", "type: "):
        render_on_cluster(config, Cluster())


class SlowRay:
    """Ray on a machine that is too busy to start it in time."""

    def __init__(self, fails: int) -> None:
        self.fails, self.calls = fails, list[str]()

    def init(self, **options: object) -> None:
        self.calls.append("init")
        if self.calls.count("init") <= self.fails:
            raise Exception("The current node timed out during startup.")

    def is_initialized(self) -> bool:
        return False

    def shutdown(self) -> None:
        self.calls.append("shutdown")


def test_a_slow_start_is_tried_again_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, dead = SlowRay(2), SlowRay(99)
    monkeypatch.setattr("offline_train.recipes.cluster._ray", lambda: slow)
    with connected(Cluster()):
        assert slow.calls == ["init", "shutdown", "init", "shutdown", "init"]
    assert slow.calls[-1] == "shutdown"
    monkeypatch.setattr("offline_train.recipes.cluster._ray", lambda: dead)
    with (
        pytest.raises(ConfigError, match=r"a Ray cluster at this machine, .*timed out"),
        connected(Cluster()),
    ):
        pass
    with (
        pytest.raises(ConfigError, match=r"at 10\.0\.0\.1:6379"),
        connected(Cluster(address="10.0.0.1:6379")),
    ):
        pass
    assert dead.calls.count("init") == 3 + 1  # a cluster elsewhere is asked once


def test_a_cluster_has_a_worker(config: PrepareConfig) -> None:
    with pytest.raises(ConfigError, match="expected one worker or more, got 0"):
        render_on_cluster(config, Cluster(0))
