"""Covers a rung's songs by several systems and measures every cover.

The model comes through the engine that ships, streamed in blocks and over the whole file; beside
it the human cover, raw basic-pitch and an earlier model. A broken song is named, skipped and
counted. Not here: what each measure is (a module for each family), tables and pictures
(``report``).
"""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from engine.core.errors import ConfigError, DataError
from engine.core.settings import EngineSettings
from engine.model.model_files import model_path
from engine.system.extras import needs
from engine.system.workers import worker_pool
from offline_train.evaluation.figures import Figures, compare_qmax, figures
from offline_train.evaluation.human_covers import spreads_or_usual
from offline_train.evaluation.measures import likeness
from offline_train.evaluation.measures.pianist import (
    pianist_distance,
)
from offline_train.evaluation.song_scores import (
    BASIC_PITCH,
    HUMAN,
    ScoredSong,
    score_song,
    with_distances,
)
from offline_train.evaluation.songs.reference_song import SAMPLE_RATE, ReferenceSong
from offline_train.evaluation.songs.rungs import (
    EvaluateConfig,
    Rung,
    read_reference_song,
    song_names,
)
from offline_train.evaluation.systems import Path_, SystemChoice, open_system

log = logging.getLogger(__name__)

Array = NDArray[np.float32]

USUAL = EngineSettings()
BASELINES = {choice.name: choice for choice in (HUMAN, BASIC_PITCH)}


@dataclass(frozen=True, slots=True)
class SystemResult:
    """One system's figures, of all songs together and of each."""

    figures: Figures
    each: dict[str, Figures]


@dataclass(frozen=True, slots=True)
class RungResult:
    """A table's content: the systems in the order of its columns."""

    rung: Rung
    split: str
    model: str
    style: str
    playing: tuple[str, ...]  # how it played, where not as usual: "section.key = value"
    n_songs: int
    minutes: float
    skipped: dict[str, str]  # song -> what is wrong with it
    systems: dict[str, SystemResult]
    songs: list[ScoredSong] = field(repr=False)

    @property
    def streamed(self) -> SystemResult:
        """The model as it plays live, or files if that was left out: the first column."""
        return next(iter(self.systems.values()))


def evaluate(
    model: str | Path,
    config: EvaluateConfig,
    settings: EngineSettings = USUAL,
    *,
    against: str | Path | None = None,
    arrangers: Mapping[str, Path] | None = None,
    baselines: Sequence[str] = ("human", "basic-pitch"),
    paths: Sequence[Path_] = ("streamed", "whole file"),
    with_qmax: bool = True,
) -> RungResult:
    """Return the figures of a model and its baselines on a rung.

    Parameters
    ----------
    model, against
        A shipped model's name or a path; ``against`` is an earlier model for a column of its own.
    config
        Which songs.
    settings
        In what style the models play and how, as in the program; its model does not matter.
    arrangers
        Folders of exported arrangers, by the name of their column.
    baselines
        ``human``, ``basic-pitch``.
    paths
        How the model runs: live, which for a large window model is slow, or whole files; at least
        one.
    with_qmax
        Qmax costs ten seconds a minute of song; it is left out, with a warning, without essentia.

    Raises
    ------
    ModelError, ConfigError
        If a model, its style or a baseline does not exist.
    DataError
        If there are no songs, or none that is whole.
    """
    if config.rung in ("d", "sung"):  # recordings have no human cover
        baselines = [name for name in baselines if name != "human"]
    choices = _choices(model, settings, against, baselines, paths)
    if config.rung == "sung":
        choices = [replace(choice, is_causal=choice.path == "streamed") for choice in choices]
    for name, folder in (arrangers or {}).items():
        choices.append(SystemChoice(name, "arranger", folder=str(folder)))
    timings = {choice.name: open_system(choice).timing for choice in choices}
    if with_qmax and not likeness.has_essentia():
        log.warning("%s", needs("no Qmax: it needs essentia", "evaluate"))
        with_qmax = False
    names = song_names(config)
    songs: list[ScoredSong] = []
    skipped: dict[str, str] = {}
    scored = _score_all(config, names, choices, with_qmax)
    for name, found in tqdm(
        zip(names, scored, strict=True), f"rung {config.rung}", len(names), unit="song"
    ):
        if isinstance(found, str):
            log.warning("skipped %s: %s", name, found)
            skipped[name] = found
        else:
            songs.append(found)
    if not songs:
        raise DataError(f"none of {len(names)} songs is whole; the first: {skipped[names[0]]}")
    seconds = sum(song.seconds for song in songs)
    human = [song.scores["human"] for song in songs] if "human" in timings else None
    spreads = spreads_or_usual([song.human for song in songs if song.human is not None])
    systems = {}
    for name, timing in timings.items():
        scores = [song.scores[name] for song in songs]
        together = figures(scores, timing)
        ratio = compare_qmax(scores, human) if human is not None else None
        if ratio is not None:
            together["qmax_to_human"] = ratio
        distance = pianist_distance([s.pianist for s in scores], spreads)
        if not math.isnan(distance):
            together["pianist_distance"] = distance
        systems[name] = SystemResult(together, {s.name: figures([s.scores[name]]) for s in songs})
    return RungResult(
        config.rung,
        config.split,
        str(model),
        str(settings.model.style),
        changed_settings(settings),
        len(songs),
        round(seconds / 60, 1),
        skipped,
        systems,
        songs,
    )


def changed_settings(settings: EngineSettings) -> tuple[str, ...]:
    """Return what is not as usual, model and style apart.

    >>> from engine.core.settings import PlaySettings
    >>> changed_settings(EngineSettings(play=PlaySettings(hands=True)))
    ('play.hands = True',)
    """
    found = []
    for section in fields(EngineSettings):
        own, usual = getattr(settings, section.name), getattr(USUAL, section.name)
        for name in (f"{section.name}.{key.name}" for key in fields(usual)):
            value = getattr(own, name.partition(".")[2])
            if value != getattr(usual, name.partition(".")[2]):
                found.append(f"{name} = {value}")
    return tuple(line for line in found if not line.startswith(("model.model ", "model.style ")))


def _choices(
    model: str | Path,
    settings: EngineSettings,
    against: str | Path | None,
    baselines: Sequence[str],
    paths: Sequence[Path_],
) -> list[SystemChoice]:
    unknown = sorted(set(baselines) - set(BASELINES))
    if unknown:
        raise ConfigError(f"a baseline must be one of {', '.join(BASELINES)}, not {unknown[0]!r}")

    def of(path: Path) -> EngineSettings:
        return replace(settings, model=replace(settings.model, model=str(path)))

    path = model_path(model)
    choices = [SystemChoice(f"{path.stem}, {way}", "model", way, of(path)) for way in paths]
    if against is not None:
        before = model_path(against)
        name = f"before: {before.stem}, streamed"
        choices.append(SystemChoice(name, "model", "streamed", of(before)))
    return choices + [BASELINES[name] for name in baselines]


def _score_all(
    config: EvaluateConfig, names: Sequence[str], choices: list[SystemChoice], with_qmax: bool
) -> Iterator[ScoredSong | str]:
    score_named = partial(_score_named, config, choices, with_qmax)
    if config.workers == 1:
        yield from map(score_named, names)
        return
    with worker_pool(config.workers) as pool:
        yield from pool.map(score_named, names)


def _score_named(
    config: EvaluateConfig, choices: list[SystemChoice], with_qmax: bool, name: str
) -> ScoredSong | str:
    """Return the scored song, or what is wrong with it."""
    try:
        song = read_reference_song(config, name)
        profile = _kept_profile(config.folder, song) if with_qmax else None
        scored = score_song(song, choices, profile)
        return with_distances(scored, song, config.embed) if config.embed else scored
    except DataError as error:
        return str(error)


def _kept_profile(folder: Path, song: ReferenceSong) -> Array:
    """Return the song's pitch class profile, computed once for all evaluations."""
    path = folder / f"{song.name}.hpcp.npy"
    sound = folder / f"{song.name}.flac"
    if path.is_file() and path.stat().st_mtime >= sound.stat().st_mtime:
        try:
            return np.asarray(np.load(path), np.float32)
        except (OSError, ValueError, EOFError):
            log.warning("%s: cut short, making it again", path)
    profile = likeness.hpcp(song.samples, SAMPLE_RATE)
    partial_path = folder / f".{song.name}.hpcp.npy"
    np.save(partial_path, profile)
    partial_path.replace(path)
    return profile
