"""The papers' experiments: each is one resumable command, ``livecover-train experiment NAME``.

An experiment takes an ``ExperimentConfig`` and returns its report, Markdown, which it has also
written to ``out``. Run again with the same settings it goes on where it stopped. Not here: the
experiments themselves.
"""

import importlib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from engine.core.errors import ConfigError
from offline_train.corpora.text_files import read_json

Size = Literal["tiny", "small", "full"]
SIZES: tuple[Size, ...] = get_args(Size)

EXPERIMENTS = {
    "arrangement": "offline_train.studies.arranging.study",
    "embedding": "offline_train.studies.matching.study",
    "transfer": "offline_train.studies.transcription.transfer_study",
    "vision": "offline_train.studies.transcription.vision_study",
}
"""Name -> the module whose ``run`` it is; imported when it is asked for."""

TIMED = ("arrangement", "embedding")
"""Those whose trainings end by the clock or by steps, whichever comes first."""


@dataclass(frozen=True, slots=True)
class ExperimentConfig:
    """What every experiment is given.

    ``tiny`` is a slice that tests run, ``small`` ends within half an hour on two cores, ``full``
    is what figures are measured with. ``data`` is the data folder, as for the other commands;
    ``prepared`` holds shards of bands (``livecover-train prepare``), to use instead of new ones.
    Those whose trainings have a time (``TIMED``) can be given another, in ``minutes`` for each,
    and can train some ``rows`` of their table only; those trained before stay in it.
    """

    data: Path
    out: Path
    size: Size = "small"
    seed: int = 1
    threads: int = 1
    device: str = "cpu"
    prepared: Path | None = None
    minutes: float = 0.0  # 0: what the size says
    rows: tuple[str, ...] = ()  # (): what the size says


def run_experiment(name: str, config: ExperimentConfig) -> str:
    """Run an experiment, or go on with it; return its report.

    Raises
    ------
    ConfigError
        If there is no such experiment or size, or ``out`` holds another one.
    DataError
        If the data folder lacks what it needs.
    """
    if name not in EXPERIMENTS:
        raise ConfigError(f"experiment must be one of {', '.join(EXPERIMENTS)}, not {name!r}")
    if config.size not in SIZES:
        raise ConfigError(f"size must be one of {', '.join(SIZES)}, not {config.size!r}")
    if (config.minutes or config.rows) and name not in TIMED:
        raise ConfigError(
            f"minutes and rows are for {' and '.join(TIMED)}; {name} runs whole, leave them out"
        )
    config.out.mkdir(parents=True, exist_ok=True)
    _claim(config.out / "experiment.json", {"name": name, "size": config.size, "seed": config.seed})
    run: Callable[[ExperimentConfig], str] = importlib.import_module(EXPERIMENTS[name]).run
    return run(config)


def training_options(c: ExperimentConfig, steps: int, batch: int, minutes: float) -> dict[str, Any]:
    """Return what each training of an experiment is given; the last three are of its size."""
    return {
        "steps": steps,
        "batch": batch,
        "minutes": c.minutes or minutes,
        "seed": c.seed,
        "threads": c.threads,
        "device": c.device,
    }


def check_rows(names: Sequence[str], rows: Collection[str]) -> None:
    """Check that there are rows of these names.

    Raises
    ------
    ConfigError
        If there is no such row.
    """
    unknown = sorted(set(names) - set(rows))
    if unknown:
        raise ConfigError(f"rows must be some of {', '.join(rows)}, not {', '.join(unknown)}")


def _claim(path: Path, facts: dict[str, str | int]) -> None:
    """Write down whose folder it is. Raises ConfigError if it is another experiment's."""
    before = read_json(path) if path.is_file() else facts
    if before != facts:
        raise ConfigError(
            f"{path.parent}: holds experiment {before}, not {facts}; name another folder, or go on"
            " with the same settings"
        )
    path.write_text(json.dumps(facts))
