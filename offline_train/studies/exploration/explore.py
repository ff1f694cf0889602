"""The curve of F1 against lookahead and cost: one recipe, several settings of the network.

Settings of one axis are compared with each other, so they begin alike: with the weights of
``start_from`` if these fit all of them, else from nothing. All are trained for equally long,
exported with a tuned decoder and evaluated through the engine on the same songs. A setting that is
done is not run again; one that is underway goes on. Not here: tables and pictures
(``explore_report``).
"""

import dataclasses
import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from engine.core.errors import ConfigError, DataError, ModelError
from engine.cover.cost import compare_costs
from engine.model.pipeline import load_pipeline
from models.streaming import StreamingConfig, StreamingCover
from models.widen import widen
from offline_train.corpora.text_files import read_json
from offline_train.data.shards import manifest_hash
from offline_train.evaluation import EvaluateConfig, evaluate, rendered_songs
from offline_train.evaluation.songs.reference_song import SAMPLE_RATE
from offline_train.evaluation.songs.rungs import read_reference_song, song_names
from offline_train.exporting.release import ReleaseConfig, release_cover
from offline_train.recipes.cover import check_shards, train
from offline_train.training.cover.settings import CoverSettings
from offline_train.training.cover.task import load_checkpoint, network_of
from offline_train.training.renamed import renamed_settings

log = logging.getLogger(__name__)

Axis = Literal["lookahead", "width", "part"]

BASE = StreamingConfig(lookahead_frames=4)
SIZES = ("conv_channels", "channels", "trunk", "context", "hidden")
COST_S = 20.0  # of a song
CREDIT = "an exploration's, see docs/training.md"


@dataclass(frozen=True, slots=True)
class Setting:
    """One network to try; ``axis`` is what it shares with those it is compared with."""

    name: str
    axis: Axis
    network: StreamingConfig


def lookahead(frames: int) -> Setting:
    """Return the usual network with so many frames of lookahead."""
    network = dataclasses.replace(BASE, lookahead_frames=frames)
    return Setting(f"lookahead-{frames}", "lookahead", network)


def width(factor: float) -> Setting:
    """Return a network whose every part is so many times as wide."""
    sizes = {name: round(factor * getattr(BASE, name)) for name in SIZES}
    return Setting(f"width-{factor:g}", "width", dataclasses.replace(BASE, **sizes))


def part(name: str) -> Setting:
    """Return a network with one part twice as wide."""
    size = 2 * getattr(BASE, name)
    return Setting(f"{name}-{size}", "part", dataclasses.replace(BASE, **{name: size}))


GRIDS: dict[str, tuple[Setting, ...]] = {
    "small": (*map(lookahead, (0, 4, 16)), *map(width, (0.5, 1))),
    "full": (
        *map(lookahead, (0, 2, 4, 8, 16)),
        *map(width, (0.5, 0.75, 1, 1.5, 2)),
        *map(part, ("channels", "trunk", "context", "hidden")),
    ),
}


@dataclass(frozen=True, slots=True)
class ExploreConfig:
    """An exploration; ``out`` holds a folder for each setting.

    ``train`` is the run of every setting but for its ``out`` and its network, its ``start_from``
    that of an axis that it fits. ``songs`` are evaluated.
    """

    train: CoverSettings
    songs: EvaluateConfig
    out: Path
    grid: str = "small"
    only: tuple[str, ...] = ()  # names of settings; none for all of the grid


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a setting. ``real_time_factor`` is one core's, samples to notes."""

    name: str
    axis: Axis
    began_with: str  # the start's file, or "nothing"
    lookahead_frames: int
    n_parameters: int
    steps: int
    audio_hours: float
    latency_ms: float
    onset_f1: float
    onset_precision: float
    onset_recall: float
    frame_f1: float
    density: float
    real_time_factor: float = 0.0


def explore(c: ExploreConfig) -> list[Result]:
    """Train and evaluate what is not done yet; return the results there are of the grid.

    Raises
    ------
    ConfigError
        If the grid or a setting in ``only`` is unknown, or torchrun started several processes.
    DataError, ModelError, KeyboardInterrupt
        As ``cover.train``, ``evaluation.evaluate``; ModelError also if a folder holds a run
        of another network.
    """
    settings = chosen(c)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(
            "explore trains in one process, came torchrun's several; share settings out with --only"
        )
    check_shards(c.train)
    for setting in settings:
        facts_of(c, setting)  # says what is missing, as do the songs, before the hours
    for _ in rendered_songs(c.songs):
        pass
    for setting in settings:
        run(c, setting)
    done = {s.name: read_result(c, s) for s in GRIDS[c.grid]}
    return with_cost(c, [result for result in done.values() if result is not None])


def chosen(c: ExploreConfig) -> list[Setting]:
    """Return the settings to run. Raises ConfigError on an unknown name."""
    if c.grid not in GRIDS:
        raise ConfigError(f"grid must be one of {', '.join(GRIDS)}, not {c.grid!r}")
    known = {setting.name: setting for setting in GRIDS[c.grid]}
    unknown = sorted(set(c.only) - set(known))
    if unknown:
        raise ConfigError(f"a setting must be one of {', '.join(known)}, not {unknown[0]!r}")
    return [known[name] for name in c.only or known]


def run(c: ExploreConfig, setting: Setting) -> None:
    """Train, export and evaluate a setting, unless it is done."""
    if read_result(c, setting) is not None:
        log.info("%s: done", setting.name)
        return
    folder = c.out / setting.name
    start = start_of(c, setting.axis)
    _check_same(folder / "last.pt", setting.network, start)
    log.info("%s: %g hours from %s", setting.name, c.train.hours, start or "nothing")
    checkpoint_path = train(
        dataclasses.replace(c.train, out=folder, start_from=start, network=setting.network)
    )
    data, cache = c.songs.data, c.songs.cache
    model = release_cover(
        ReleaseConfig(checkpoint_path, c.train.prepared, data, cache, folder, "live", CREDIT)
    )
    evaluated = evaluate(model, c.songs, baselines=(), paths=("streamed",), with_qmax=False)
    figures = evaluated.streamed.figures
    checkpoint = load_checkpoint(checkpoint_path)
    result = Result(
        name=setting.name,
        axis=setting.axis,
        began_with=start.name if start else "nothing",
        lookahead_frames=setting.network.lookahead_frames,
        n_parameters=sum(p.numel() for p in network_of(checkpoint).parameters()),
        steps=checkpoint["step"],
        audio_hours=checkpoint["audio_hours"],
        **{
            name: figures[name]
            for name in (
                "latency_ms",
                "onset_f1",
                "onset_precision",
                "onset_recall",
                "frame_f1",
                "density",
            )
        },
    )
    facts = {"settings": facts_of(c, setting), "result": dataclasses.asdict(result)}
    (folder / "result.json").write_text(json.dumps(facts, indent=1))


def _check_same(last: Path, network: StreamingConfig, start: Path | None) -> None:
    """Raise ModelError if a run underway is of another network, or began with something else."""
    if not last.is_file():
        return
    checkpoint = load_checkpoint(last)
    before = (checkpoint["network"], checkpoint["train"]["start_from"])
    if before != (network.to_dict(), str(start) if start else None):
        raise ModelError(
            f"{last}: expected a run of {network} that began with {start or 'nothing'}, came"
            " another; name another folder"
        )


def read_result(c: ExploreConfig, setting: Setting) -> Result | None:
    """Return the result of a setting; None if there is none of these settings and this data."""
    try:
        facts = read_json(c.out / setting.name / "result.json")
    except DataError:  # none, or cut short
        return None
    settings = facts["settings"] | {"network": renamed_settings(facts["settings"]["network"])}
    return Result(**facts["result"]) if settings == facts_of(c, setting) else None


def facts_of(c: ExploreConfig, setting: Setting) -> dict[str, Any]:
    """Return what a result depends on, as JSON has it."""
    how = dataclasses.asdict(c.train)
    for name in ("out", "prepared", "valid", "network", "threads", "device"):
        del how[name]
    how["shares"] = {str(folder): share for folder, share in c.train.folders().items()}
    songs = dataclasses.asdict(c.songs)
    for name in ("data", "cache", "workers"):
        del songs[name]
    facts = {
        "network": setting.network.to_dict(),
        "train": how | {"start_from": start_of(c, setting.axis)},
        "data": {folder: manifest_hash(Path(folder)) for folder in how["shares"]},
        "songs": songs,
    }
    plain: dict[str, Any] = json.loads(json.dumps(facts, default=str))
    return plain


def start_of(c: ExploreConfig, axis: Axis) -> Path | None:
    """Return the checkpoint that an axis begins with; None if a setting cannot hold it."""
    start = c.train.start_from
    if start is None:
        return None
    weights = load_checkpoint(start)["ema"]
    networks = [setting.network for setting in GRIDS[c.grid] if setting.axis == axis]
    return start if all(_holds(network, weights) for network in networks) else None


def _holds(network: StreamingConfig, weights: dict[str, torch.Tensor]) -> bool:
    """Return whether a network is at least as large as one with these weights."""
    try:
        widen(StreamingCover(network), weights)
    except ValueError:
        return False
    return True


def with_cost(c: ExploreConfig, results: list[Result]) -> list[Result]:
    """Return the results with the cost of their models on one core, all measured in one go."""
    if not results:
        return []
    song = read_reference_song(c.songs, song_names(c.songs)[0])
    samples = song.samples[: round(COST_S * SAMPLE_RATE)]
    pipelines = {r.name: load_pipeline(c.out / r.name / "live.onnx", threads=1) for r in results}
    costs = compare_costs(pipelines, samples)
    factors = {name: round(cost.total.processor, 4) for name, cost in costs.items()}
    return [dataclasses.replace(r, real_time_factor=factors[r.name]) for r in results]
