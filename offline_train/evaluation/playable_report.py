"""The tables of ``livecover-train playable``, as Markdown."""

from offline_train.evaluation.playable import RULES, PlayableScore
from offline_train.evaluation.report import markdown_table


def report(score: PlayableScore, title: str, shipped: float) -> str:
    """Return the tables as Markdown; ``shipped`` is the model's own melody threshold."""
    parts = [f"## {title}", f"{score.n_songs} songs, {score.seconds / 60:.1f} minutes."]
    tables = _parts_rows(score, shipped), _hands_rows(score), _pedal_rows(score), _fault_rows(score)
    own, human = score.parts[shipped].echoes
    echo = (
        f"At the model's threshold the accompaniment part strikes the tune's pitch class at"
        f" {own:.3f} of its notes, the human's accompaniment at {human:.3f}."
    )
    return "\n\n".join([*parts, echo, *(markdown_table(rows) for rows in tables)])


def _parts_rows(score: PlayableScore, shipped: float) -> list[list[str]]:
    rows = [
        ["melody threshold", "melody leaked", "of that played", "in any octave", "of that doubled",
         "accompaniment lost", "notes left"]
    ]  # fmt: skip
    for threshold, s in sorted(score.parts.items()):
        shares = (
            s.leaked_share, s.leaked_share_of_found, s.leaked_share_anywhere,
            s.doubled_leaked_share, s.lost_share, s.n_part / max(s.n_notes, 1),
        )  # fmt: skip
        name = f"{threshold:g}" + (" (the model's)" if threshold == shipped else "")
        rows.append([name, *(f"{share:.3f}" for share in shares)])
    return rows


def _hands_rows(score: PlayableScore) -> list[list[str]]:
    columns = [score.hands[name] for name in ("before", "after", "human")]
    n_before = max(columns[0].n_notes, 1)
    rows = [
        ["hands", "before", "after", "human"],
        ["unplayable notes", *(str(s.n_unplayable) for s in columns)],
        ["their share", *(f"{s.n_unplayable / max(s.n_notes, 1):.3f}" for s in columns)],
    ]
    for k, rule in enumerate(RULES):
        rows.append([f"of them: {rule}", *(str(s.broken[k]) for s in columns)])
    return [
        *rows,
        ["notes left out", "–", f"{1 - columns[1].n_notes / n_before:.3f}", "–"],
        ["onset F1", *(f"{s.onset.f1:.4f}" for s in columns[:2]), "–"],
        ["melody notes found", *(f"{s.melody.recall:.3f}" for s in columns[:2]), "–"],
    ]


def _pedal_rows(score: PlayableScore) -> list[list[str]]:
    columns = list(score.pedal.values())
    return [
        ["pedal", *score.pedal],
        ["share of the time down", *(f"{s.down_share:.3f}" for s in columns)],
        ["changes a minute", *(f"{s.changes_a_minute:.1f}" for s in columns)],
        ["ringing into a foreign chord", *(f"{s.blurred_share:.3f}" for s in columns)],
        ["changes near the human's, F1", *(f"{s.changes.f1:.3f}" for s in columns)],
        ["its value a second late", *(f"{s.changes_late.f1:.3f}" for s in columns)],
    ]


def _fault_rows(score: PlayableScore) -> list[list[str]]:
    columns = list(score.faults.values())
    rows = [["faults, share of notes", *score.faults]]
    for name, label in (
        ("n_long", "held for more than 2 s"),
        ("n_struck_at_once", "struck again within 60 ms"),
        ("n_struck_soon", "struck again within 120 ms"),
        ("n_repeated", "repeated, where the human holds"),
    ):
        rows.append([label, *(f"{s.of_notes(name):.4f}" for s in columns)])
    for name, label in (
        ("n_too_long", "too long, of those the human has"),
        ("n_hanging", "by more than a second"),
        ("n_too_short", "too short, of those the human has"),
    ):
        rows.append([label, *(f"{s.of_matched(name):.3f}" for s in columns)])
    return rows
