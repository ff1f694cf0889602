"""The papers' tables and the sentences that follow from them, as Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from offline_train.studies.transcription.epochs import Metrics
from offline_train.studies.transcription.rolls import Cells, Score

TITLES = {
    "frame": "Table 1. Frame metrics",
    "note": "Table 2. Note metrics",
    "note_with_offset": "Table 3. Note with offset metrics",
}
SECTIONS = {
    "": "",
    "synthesized": "after transfer from synthesized instruments",
    "guitar": "after transfer from the guitar",
    "piano": "after transfer from the piano",
}
TARGETS = ("piano", "guitar")
NEAR = 0.95  # of the last score from nothing: what "as good as" means where epochs are counted

Results = Mapping[str, Mapping[str, Mapping[str, Score]]]
Curves = Mapping[str, Sequence[Metrics]]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, the first column to the left."""
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def transfer_table(results: Results, measure: str) -> str:
    """Return one of paper 2's tables: trained on by evaluated on, precision, recall and F1."""
    head = ["trained on", *(f"{t} {name}" for t in TARGETS for name in ("P", "R", "F1"))]
    rows = []
    for start, section in SECTIONS.items():
        named = [n for n in results if n.partition("-to-")[0] == start and "-to-" in n]
        named = named or [n for n in results if not start and "-to-" not in n]
        if section and named:
            rows.append([f"*{section}*", *[""] * 6])
        for name in named:
            scores = [results[name][target][measure] for target in TARGETS]
            cells = [f"{v:.3f}" for s in scores for v in (s.precision, s.recall, s.f1)]
            rows.append([name.replace("-to-", " → "), *cells])
    return f"{TITLES[measure]}\n\n{table(head, rows)}"


def transfer_report(results: Results, curves: Curves, epochs: int) -> str:
    """Return paper 2's tables and its three questions answered from our numbers."""
    parts = [transfer_table(results, measure) for measure in TITLES]
    parts.append("Figure 3: `figure3.png`, note F1 on validation pieces by epoch.")
    parts.append(transfer_answers(results, curves, epochs))
    return "\n\n".join(parts) + "\n"


def transfer_answers(results: Results, curves: Curves, epochs: int) -> str:
    """Return the answers to the three research questions, each from figures in the tables."""
    lines = ["Research questions, by note F1:", ""]
    for target in TARGETS:
        zero = results["synthesized"][target]["note"].f1
        own = results[target][target]["note"].f1
        share = f", {100 * zero / own:.0f}% of it" if own else ""
        lines.append(
            f"- RQ1, {target}: trained on synthesized instruments alone {zero:.3f}; trained on the"
            f" {target} itself {own:.3f}{share}."
        )
    for target in TARGETS:
        own, after = (
            results[name][target]["note"].f1 for name in (target, f"synthesized-to-{target}")
        )
        reached = epochs_to_reach(curves, target, f"synthesized-to-{target}")
        when = f"reached after epoch {reached}" if reached else f"not reached in {epochs} epochs"
        lines.append(
            f"- RQ2, {target}: from nothing {own:.3f}, after transfer {after:.3f}"
            f" ({after - own:+.3f}); {100 * NEAR:.0f}% of the last validation score from nothing"
            f" was {when}."
        )
    for target, other in zip(TARGETS, reversed(TARGETS), strict=True):
        synthesized, real = (
            results[f"{start}-to-{target}"][target]["note"].f1 for start in ("synthesized", other)
        )
        better = "synthesized instruments" if synthesized > real else f"the {other}"
        lines.append(
            f"- RQ3, {target}: after synthesized instruments {synthesized:.3f}, after the {other}"
            f" {real:.3f}: {better} the better start."
        )
    return "\n".join(lines)


def epochs_to_reach(curves: Curves, scratch: str, name: str) -> int | None:
    """Return the first epoch at which a curve is about as high as another one's end, or None."""
    ends = [line["note_f1"] for line in curves[scratch] if "note_f1" in line]
    wanted = NEAR * ends[-1] if ends else 0.0
    for line in curves[name]:
        if line.get("note_f1", -1.0) >= wanted:
            return int(line["epoch"])
    return None


@dataclass(frozen=True, slots=True)
class VisionRow:
    """What one network reached after one epoch of paper 3's training."""

    network: str
    setting: str  # its β, or what is different
    epoch: int
    cells: Cells
    parameters: int
    seconds: float  # the epoch took
    liveliness: float  # standard deviation along time, the true roll's being 1


def vision_table(rows: Sequence[VisionRow], epoch: int) -> str:
    """Return paper 3's tables after an epoch, complexity beside: its 1 or 3, and 2.

    "P R / (P + R)" is what the paper's own column F1 holds.
    """
    head = ["network", "setting", "F1", "P R / (P + R)", "precision", "recall", "accuracy"]
    head += ["movement", "parameters", "s an epoch"]
    body = []
    before = {(row.network, row.setting): row for row in rows if row.epoch == epoch - 1}
    for row in rows:
        if row.epoch != epoch:
            continue
        last = before.get((row.network, row.setting))
        values = [_gain(row.cells.f1, last.cells.f1 if last else None)]
        values.append(f"{row.cells.printed_f1:.4f}")
        values.append(_gain(row.cells.precision, last.cells.precision if last else None))
        values.append(_gain(row.cells.recall, last.cells.recall if last else None))
        values += [f"{row.cells.accuracy:.4f}", f"{row.liveliness:.2f}"]
        body.append(
            [row.network, row.setting, *values, f"{row.parameters:,}", f"{row.seconds:.0f}"]
        )
    noun = "epoch" if epoch == 1 else "epochs"
    return f"After {epoch} {noun} of training\n\n{table(head, body)}"


def _gain(value: float, before: float | None) -> str:
    return f"{value:.4f}" if before is None else f"{value:.4f} ({value - before:+.4f})"
