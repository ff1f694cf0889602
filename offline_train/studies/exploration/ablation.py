"""AMT-APC's Table II at the scale at hand: what pre-training, fine-tuning and style are worth.

Four rows, one recipe: full; without AMT pre-training (the cover loss from the beginning); without
APC fine-tuning (the transcriber as it is, evaluated as a cover); without the style vector. Each row
is a run of ``amt_apc`` in a folder of its own, so the same command goes on where it stopped.
"""

import dataclasses
import json
import logging
from dataclasses import dataclass
from pathlib import Path

from offline_train.data.shards import read_shards
from offline_train.recipes.amt_apc import StageTask, fixed_batches, train
from offline_train.recipes.amt_apc_run import ApcSettings, load_checkpoint, network_of, plan

log = logging.getLogger(__name__)

ROWS = ("full", "without AMT pre-training", "without APC fine-tuning", "without style vector")
PAPER = {  # loss, average F1
    "full": (0.36, 0.31),
    "without AMT pre-training": (0.41, 0.27),
    "without APC fine-tuning": (0.92, 0.12),
    "without style vector": (0.43, 0.30),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One model's cover loss and F1 on the test crops, beside the paper's figures."""

    model: str
    loss: float
    average: float
    onset: float
    frame: float
    velocity: float
    steps: int


def runs(c: ApcSettings) -> dict[str, ApcSettings]:
    """Return the settings of each row's run by its name; ``pre-training`` comes first."""
    pre = dataclasses.replace(c, stages=("amt", "extend"), out=c.out / "pre-training")
    begun = pre.out / "extend.pt"
    tune = dataclasses.replace(c, stages=("apc",), begin_with=begun)
    return {
        "pre-training": pre,
        "full": dataclasses.replace(tune, out=c.out / "full"),
        "without AMT pre-training": dataclasses.replace(
            tune, begin_with=None, out=c.out / "without-pre-training"
        ),
        "without style vector": dataclasses.replace(
            tune, has_style=False, out=c.out / "without-style"
        ),
    }


def ablation(c: ApcSettings, test: tuple[Path, ...]) -> list[Row]:
    """Train what is not trained yet; return the four rows and write ``ablation.json``.

    Parameters
    ----------
    c
        Settings of all runs; its ``stages``, ``has_style`` and ``begin_with`` do not count, and
        ``minutes`` must be 0.
    test
        Folders of shards of test songs; ``valid_crops`` of them are evaluated.

    Raises
    ------
    ConfigError, DataError, ModelError, KeyboardInterrupt
        As ``amt_apc.train``.
    """
    c = dataclasses.replace(c, minutes=0.0)
    for folder in test:
        read_shards(folder)  # says what is missing before the hours
    checkpoints = {}
    for name, run in runs(c).items():
        log.info("%s: %s", name, " then ".join(f"{s.name} {s.steps} steps" for s in plan(run)))
        checkpoints[name] = train(run)
    checkpoints["without APC fine-tuning"] = checkpoints.pop("pre-training")
    batches = fixed_batches(c, "cover", c.n_frames, test, seed=1)
    rows = []
    for name in ROWS:
        checkpoint = load_checkpoint(checkpoints[name])
        network = network_of(checkpoint)
        scores = StageTask(c, plan(c)[-1], network).measure(batches, "cover")
        rows.append(Row(name, **scores, steps=checkpoint["step"]))
    facts = {"rows": [dataclasses.asdict(row) for row in rows], "crops": c.valid_crops}
    (c.out / "ablation.json").write_text(json.dumps(facts, indent=1))
    return rows


def table(rows: list[Row]) -> str:
    """Return the rows in Markdown, with the paper's columns and its figures.

    >>> print(table([Row("full", 0.5, 0.25, 0.2, 0.3, 0.25, 100)]))
    | model | loss | average F1 | onset | frame | velocity | paper: loss | average F1 |
    |---|---|---|---|---|---|---|---|
    | full | 0.50 | 0.25 | 0.20 | 0.30 | 0.25 | 0.36 | 0.31 |
    """
    lines = [
        "| model | loss | average F1 | onset | frame | velocity | paper: loss | average F1 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        ours = (row.loss, row.average, row.onset, row.frame, row.velocity)
        figures = " | ".join(f"{value:.2f}" for value in (*ours, *PAPER[row.model]))
        lines.append(f"| {row.model} | {figures} |")
    return "\n".join(lines)
