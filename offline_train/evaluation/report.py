"""What an evaluation found, as a Markdown table, a JSON file and a page with pictures."""

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.core.errors import DataError
from offline_train.evaluation.figures import MEASURE, MEASURES, Measure
from offline_train.evaluation.pictures import draw_rolls
from offline_train.evaluation.scoring import RungResult
from offline_train.evaluation.songs.rungs import EvaluateConfig, read_reference_song

RUNG_TITLES = {
    "a": "sound sources and grooves of training",
    "b": "held-out sound source and grooves",
    "c": "as (b), the melody sung by a held-out voice, mastered, MP3",
    "e": "as (b), by a second band and synthesizer that nothing was tuned on",
    "d": "real recordings, without truth",
    "piano": "solo piano, held-out pieces",
    "folder": "a folder of songs",
    "sung": "recordings with singers; streamed, nothing is known beforehand",
}
COMPARED = "Between rungs and systems"
LADDER = (
    "onset_f1", "melody_recall", "sung_found", "sung_by_chance", "notes_a_second", "density",
    "pianist_distance", "pulse", "grid_coherence",
)  # fmt: skip
"""Of the table with all rungs."""


def table_rows(result: RungResult) -> list[list[str]]:
    """Return the table, header first: a measure a row, a system a column; unknown is a dash."""
    rows = [["measure", *result.systems]]
    for measure in MEASURES:
        values = [system.figures.get(measure.key) for system in result.systems.values()]
        if any(value is not None for value in values):
            rows.append([measure.label, *(_shown(value, measure) for value in values)])
    return rows


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows, header first, as a Markdown table.

    >>> print(markdown_table([["what", "live"], ["onset F1", "0.39"]]))
    | what | live |
    |---|---|
    | onset F1 | 0.39 |
    """
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def report(results: Sequence[RungResult]) -> str:
    """Return everything that a terminal should show, as Markdown."""
    parts = []
    for result in results:
        parts += [f"## {_title(result)}", _counted(result), markdown_table(table_rows(result))]
    for title, rows in _summaries(results):
        parts += [f"## {title}", markdown_table(rows)]
    return "\n\n".join(parts)


def _summaries(results: Sequence[RungResult]) -> list[tuple[str, list[list[str]]]]:
    """Return what several rungs or systems have in common: tables that have rows, with titles."""
    tables = [("Rung by rung", ladder(results)), (COMPARED, compare_rungs(results))]
    return [(title, rows) for title, rows in tables if len(rows) > 1]


def ladder(results: Sequence[RungResult]) -> list[list[str]]:
    """Return the first system's main figures, header first: a column a rung, if there are two."""
    if len(results) < 2:
        return []
    rows = [["measure", *(f"({result.rung})" for result in results)]]
    for measure in (MEASURE[key] for key in LADDER):
        values = [result.streamed.figures.get(measure.key) for result in results]
        if any(value is not None for value in values):
            rows.append([measure.label, *(_shown(value, measure) for value in values)])
    return rows


def compare_rungs(results: Sequence[RungResult]) -> list[list[str]]:
    """Return the comparisons, header first, that are possible between these results."""
    rows = [["comparison", "value"]]
    by_rung = {result.rung: result.streamed.figures for result in results}
    for result in results:
        live = result.streamed.figures
        others = list(result.systems.items())[1:]
        whole = [system.figures for name, system in others if name.endswith("whole file")]
        if whole and whole[0].get("onset_f1"):
            ratio = live["onset_f1"] / whole[0]["onset_f1"]
            rows.append([f"({result.rung}) onset F1, streamed ÷ whole file", f"{ratio:.4f}"])
        human = result.systems.get("human")
        if human is not None and {"grid_share"} <= live.keys() & human.figures.keys():
            gap = live["grid_share"] - human.figures["grid_share"]
            rows.append([f"({result.rung}) share on the beat grid − the human's", f"{gap:+.3f}"])
    for upper, lower, key in (("b", "c", "onset_f1"), ("b", "d", "notes_a_second")):
        if upper in by_rung and lower in by_rung and by_rung[upper].get(key):
            ratio = by_rung[lower][key] / by_rung[upper][key]
            rows.append([f"{MEASURE[key].label}: ({lower}) ÷ ({upper})", f"{ratio:.3f}"])
    return rows


def to_json(results: Sequence[RungResult]) -> dict[str, Any]:
    """Return every figure, of all songs together and of each, as plain values."""
    return {
        "rungs": {
            result.rung: {
                "model": result.model,
                "style": result.style,
                "playing": result.playing,
                "split": result.split,
                "songs": result.n_songs,
                "minutes": result.minutes,
                "skipped": result.skipped,
                "systems": {
                    name: {"figures": system.figures, "each": system.each}
                    for name, system in result.systems.items()
                },
            }
            for result in results
        },
        "comparisons": {row[0]: row[1] for row in compare_rungs(results)[1:]},
        "labels": {measure.key: measure.label for measure in MEASURES},
    }


def save_json(results: Sequence[RungResult], path: Path) -> None:
    """Write ``to_json`` to a file. Raises DataError if it cannot be written."""
    _write(path, json.dumps(to_json(results), indent=1))


def save_page(
    results: Sequence[RungResult],
    configs: Mapping[str, EvaluateConfig],
    folder: Path,
    n_pictures: int = 4,
) -> Path:
    """Write ``figures.json``, ``table.md``, piano rolls and ``index.html``; return the page's path.

    ``configs`` has each rung's, to find the sound; pictures are of the first songs of each rung.
    Raises DataError if the folder cannot be written.
    """
    body = []
    for result in results:
        body += [
            f"<h2>{html.escape(_title(result))}</h2>",
            f"<p>{html.escape(_counted(result))}</p>",
            _html_table(table_rows(result)),
        ]
        for song in result.songs[:n_pictures]:
            image = Path("rolls") / f"{result.rung}-{Path(song.name).stem}.png"
            (folder / image).parent.mkdir(parents=True, exist_ok=True)
            reference = read_reference_song(configs[result.rung], song.name)
            draw_rolls(folder / image, reference, song.covers)
            caption = html.escape(f"{song.name}, rung {result.rung}")
            body.append(
                f"<figure><img src='{html.escape(image.as_posix())}' alt='{caption}'>"
                f"<figcaption>{caption}</figcaption></figure>"
            )
    for title, rows in _summaries(results):
        body += [f"<h2>{html.escape(title)}</h2>", _html_table(rows)]
    save_json(results, folder / "figures.json")
    _write(folder / "table.md", report(results) + "\n")
    page = folder / "index.html"
    _write(page, _PAGE.format(title=html.escape(results[0].model), body="\n".join(body)))
    return page


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Evaluation of {title}</title>
<style>
body {{ font: 15px/1.4 sans-serif; margin: 2em auto; max-width: 1200px; }}
table {{ border-collapse: collapse; }}
td, th {{ padding: .2em .8em; border-bottom: 1px solid #ddd; text-align: right; }}
td:first-child, th:first-child {{ text-align: left; }}
img {{ max-width: 100%; }}
</style>
<h1>Evaluation of {title}</h1>
{body}
</html>
"""


def _html_table(rows: Sequence[Sequence[str]]) -> str:
    def line(row: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row) + "</tr>"

    lines = [line(rows[0], "th"), *(line(row, "td") for row in rows[1:])]
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def _title(result: RungResult) -> str:
    return f"Rung ({result.rung}): {RUNG_TITLES[result.rung]}"


def _counted(result: RungResult) -> str:
    text = (
        f"{', '.join((result.model, f'style {result.style}', *result.playing))}: "
        f"{result.n_songs} songs, {result.minutes} minutes."
    )
    if result.skipped:
        text += f" Skipped as broken: {len(result.skipped)} ({', '.join(result.skipped)})."
    return text


def _shown(value: float | None, measure: Measure) -> str:
    return "–" if value is None else f"{value:.{measure.digits}f}"


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: expected to write the evaluation there ({error})") from error
