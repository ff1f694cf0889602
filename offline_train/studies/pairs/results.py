"""What became of each pair: its stored result, the parts to learn from and to check with, a report.

Not here: how a pair is done (``build``).
"""

import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.core.errors import DataError
from engine.system.whole_file import written_whole
from offline_train.data.shards import MANIFEST, ShardLine, read_manifest, write_manifest
from offline_train.studies.pairs.acceptance import Figures
from offline_train.studies.pairs.folder import Pair, kept_apart

SHARDS = "shards"
PARTS = ("train", "valid")
"""Folders that training looks for, each a manifest of some of the shards in ``SHARDS``."""


@dataclass(frozen=True, slots=True)
class PairResult:
    """What became of a pair: ``accepted``, ``rejected`` or ``broken`` (a file cannot be read)."""

    name: str
    song: str
    cover: str
    status: str
    reason: str  # one line; "" if accepted
    fingerprint: list[Any]
    notes: int = 0
    figures: Figures | None = None
    shard: dict[str, Any] | None = None  # its line in the manifest

    def line(self) -> str:
        """Return the result in one line."""
        if self.status != "accepted" or self.figures is None:
            return f"{self.name}: {self.status}: {self.reason}"
        f = self.figures
        moved = f", {f.transposition:+d} semitones undone" if f.transposition else ""
        return (
            f"{self.name}: accepted: {self.notes} notes on {f.start:.0f} s to {f.end:.0f} s"
            f"{moved}, onsets {f.onset_agreement:.2f}, chroma {f.chroma_agreement:.2f}"
        )


def read_result(path: Path) -> PairResult | None:
    """Return a stored result; None where there is none or it was cut short."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["figures"] is not None:
            values["figures"] = Figures(**values["figures"])
        return PairResult(**values)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_whole(path: Path, text: str) -> None:
    """Write a text file that appears whole or not at all."""
    with written_whole(path) as file:
        file.write(text.encode())


def check_parts(out: Path) -> None:
    """Raise DataError where ``out`` has the shards of another command in a folder of ``PARTS``."""
    for part in PARTS:
        if any(not file.startswith(f"../{SHARDS}/") for file in read_manifest(out / part)):
            raise DataError(
                f"{out / part}: expected a folder for pairs alone, it holds other shards; "
                "name another one with --out"
            )


def write_parts(out: Path, pairs: Sequence[Pair], results: Sequence[PairResult]) -> list[str]:
    """Write the manifests of all shards and of each part; return the titles kept apart.

    A song's covers stay together. Without an accepted pair a part has no manifest.
    """
    titles = {pair.name: pair.title for pair in pairs}
    made = {r.name: ShardLine(**r.shard) for r in results if r.shard is not None}
    apart = kept_apart(titles[name] for name in made)
    write_manifest(out / SHARDS, made.values())
    for part in PARTS:
        (out / part).mkdir(exist_ok=True)
        lines = [
            dataclasses.replace(line, file=f"../{SHARDS}/{line.file}")
            for name, line in made.items()
            if (titles[name] in apart) == (part == "valid")
        ]
        if lines:
            write_manifest(out / part, lines)
        else:
            (out / part / MANIFEST).unlink(missing_ok=True)
    return sorted(apart)


def write_report(out: Path, results: Sequence[PairResult], apart: Sequence[str]) -> None:
    """Write ``report.json`` and ``report.md``: counts, reasons, and a line for each pair.

    ``apart`` are the songs that are kept to check with.
    """
    counts = Counter(result.status for result in results)
    reasons = Counter(r.reason.split(":")[0] for r in results if r.status == "rejected")
    seconds = sum(r.figures.end - r.figures.start for r in results if r.shard and r.figures)
    facts = {
        "pairs": len(results),
        **{status: counts[status] for status in ("accepted", "rejected", "broken")},
        "accepted_minutes": round(seconds / 60, 1),
        "rejected_for": dict(reasons.most_common()),
        "kept_to_check_with": list(apart),
        "each": [dataclasses.asdict(result) for result in results],
    }
    write_whole(out / "report.json", json.dumps(facts, indent=1))
    lines = [
        "# Pairs",
        "",
        f"{len(results)} pairs: {counts['accepted']} accepted ({seconds / 60:.1f} min), "
        f"{counts['rejected']} rejected, {counts['broken']} broken.",
        "",
        f"Kept to check with: {', '.join(apart) or 'nothing; it takes two songs with a cover'}.",
        "",
        "| rejected for | pairs |",
        "|---|---|",
        *(f"| {reason} | {count} |" for reason, count in reasons.most_common()),
        "",
        *(f"- {result.line()}" for result in results),
    ]
    write_whole(out / "report.md", "\n".join(lines) + "\n")
