"""What style does to a cover: the same songs under each preset, and from calm to intense.

After AMT-APC's Figure 3, which shows two covers of one song; here the note rate, the velocities
and the spread of pitch of all songs are measured, and one song is drawn under each preset. The
line from calm to intense is the straight one between the presets' style vectors.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from tqdm import tqdm

from engine.cover.style import INTENSITIES, style_pace, style_vector
from engine.model.pipeline import load_pipeline
from offline_train.evaluation.pictures import PICTURE_S, draw_notes
from offline_train.evaluation.report import markdown_table
from offline_train.evaluation.songs.rungs import EvaluateConfig, rendered_songs
from offline_train.evaluation.systems import decode, listen

log = logging.getLogger(__name__)

Array = NDArray[np.float32]

CALM, INTENSE = "calm", "intense"
N_STEPS = 5


@dataclass(frozen=True, slots=True)
class StyleRow:
    """What covers of the same songs are like in one style."""

    name: str
    amount: float | None  # 0 calm to 1 intense, of the line between
    notes_a_second: float
    mean_velocity: float
    velocity_spread: float  # standard deviation
    mean_pitch: float
    pitch_spread: float


def measure_styles(
    model: str | Path, config: EvaluateConfig, n_steps: int = N_STEPS
) -> tuple[list[StyleRow], dict[str, Array]]:
    """Return a row for each preset and each step of the line, and the first song's covers.

    The human covers of the songs are the last row. Covers (n, 5) are by preset.

    Raises
    ------
    ModelError, ConfigError
        If there is no such model, or it has no presets calm and intense.
    DataError
        If there are no songs.
    """
    pipeline = load_pipeline(model)
    spec = pipeline.spec
    calm, intense = (style_vector(name, spec) for name in (CALM, INTENSE))
    presets = [
        *(n for n in INTENSITIES if n in spec.styles),
        *sorted(set(spec.styles) - set(INTENSITIES)),
    ]
    styles: dict[str, tuple[float | None, Array]] = {
        name: (None, style_vector(name, spec)) for name in presets
    }
    for amount in np.linspace(0, 1, n_steps).tolist():
        styles[f"{amount:.2f} of the way"] = (amount, (1 - amount) * calm + amount * intense)
    played: dict[str, list[Array]] = {name: [] for name in styles}
    human, seconds = [], 0.0
    for song in tqdm(rendered_songs(config), desc="styles", unit="song"):
        for name, (_, vector) in styles.items():
            posteriors = listen(pipeline, song.samples, tuple(vector.tolist()))
            pace = style_pace(vector, spec)
            played[name].append(decode(posteriors, spec.features.frame_s, spec.decoding, pace))
        if song.notes is not None:
            human.append(song.notes)
        seconds += song.seconds
    rows = [_row(name, styles[name][0], covers, seconds) for name, covers in played.items()]
    if human:
        rows.append(_row("human covers", None, human, seconds))
    return rows, {name: played[name][0] for name in presets}


def style_table(rows: Sequence[StyleRow]) -> str:
    """Return the rows as a Markdown table."""
    header = ["style", "notes a second", "mean velocity", "its spread", "mean pitch", "its spread"]
    return markdown_table(
        [
            header,
            *(
                [
                    row.name,
                    f"{row.notes_a_second:.2f}",
                    f"{row.mean_velocity:.1f}",
                    f"{row.velocity_spread:.1f}",
                    f"{row.mean_pitch:.1f}",
                    f"{row.pitch_spread:.1f}",
                ]
                for row in rows
            ),
        ]
    )


def draw_styles(path: Path, rows: Sequence[StyleRow], covers: dict[str, Array]) -> None:
    """Write a PNG: three measures along the line, and a song's roll under each preset."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure = Figure((16, 3.2 + 2.4 * len(covers)), dpi=90, layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=[3.2, 2.4 * len(covers)])
    upper, lower = parts
    line = [row for row in rows if row.amount is not None]
    human = [row for row in rows if row.name == "human covers"]
    for axis, (field, label) in zip(
        upper.subplots(1, 3),
        (
            ("notes_a_second", "notes a second"),
            ("mean_velocity", "mean velocity"),
            ("pitch_spread", "spread of pitch, semitones"),
        ),
        strict=True,
    ):
        axis.plot([row.amount for row in line], [getattr(row, field) for row in line], "o-")
        for row in human:
            axis.axhline(getattr(row, field), color="0.6", ls="--", label="human covers")
            axis.legend()
        axis.set_xlabel("calm to intense")
        axis.set_title(label, fontsize=10)
    for axis, (name, notes) in zip(
        lower.subplots(len(covers), 1, sharex=True, sharey=True, squeeze=False)[:, 0],
        covers.items(),
        strict=True,
    ):
        draw_notes(axis, notes)
        axis.set_title(name, loc="left", fontsize=10)
        axis.set_xlim(0, PICTURE_S)
        axis.set_ylim(24, 97)
    figure.savefig(path)


def _row(name: str, amount: float | None, covers: Sequence[Array], seconds: float) -> StyleRow:
    notes = np.concatenate(covers)
    velocity, pitch = (notes[:, 3], notes[:, 2]) if len(notes) else (np.zeros(1), np.zeros(1))
    return StyleRow(
        name,
        amount,
        len(notes) / seconds if seconds else 0.0,
        float(velocity.mean()),
        float(velocity.std()),
        float(pitch.mean()),
        float(pitch.std()),
    )
