"""Notes on the grid: the melody's, without doubles, each given to a hand.

Not here: the network (``arranger``), files (``notation``).
"""

from dataclasses import dataclass, replace

from engine.whole_song.song_analysis import SongAnalysis

MELODY_LIFT = 10  # velocity, over the accompaniment
SPLIT_PITCH = 60
HAND_SPAN = 16  # semitones
HAND_NOTES = 5


@dataclass(frozen=True, slots=True, order=True)
class GridNote:
    """A note on the grid: its first step, its length in steps, and who plays it."""

    step: int
    length: int
    pitch: int
    velocity: int
    is_melody: bool = False
    is_left: bool = False


def melody_on_grid(analysis: SongAnalysis) -> list[GridNote]:
    """Return the melody's notes on the grid, each at least a step long, none over another."""
    grid = analysis.grid
    if not analysis.melody:
        return []
    on = grid.step([note.onset for note in analysis.melody])
    off = grid.step([note.offset for note in analysis.melody])
    found: dict[int, GridNote] = {}
    for note, start, stop in zip(analysis.melody, on.tolist(), off.tolist(), strict=True):
        if 0 <= start < grid.n_steps:
            velocity = min(note.velocity + MELODY_LIFT, 127)
            found[start] = GridNote(start, max(stop - start, 1), note.pitch, velocity, True)
    ordered = [found[step] for step in sorted(found)]
    ends = [note.step for note in ordered[1:]] + [grid.n_steps]
    return [ending(note, end) for note, end in zip(ordered, ends, strict=True)]


def without_doubles(notes: list[GridNote], melody: list[GridNote]) -> list[GridNote]:
    """Return notes, less those on a pitch that the melody holds at the time; overlaps cut."""
    held = {(step, n.pitch) for n in melody for step in range(n.step, n.step + n.length)}
    latest: dict[int, int] = {}  # of a pitch: where its last note stands
    result: list[GridNote] = []
    for note in sorted(notes):
        if any((step, note.pitch) in held for step in range(note.step, note.step + note.length)):
            continue
        k = latest.get(note.pitch)
        if k is not None:
            result[k] = ending(result[k], note.step)
        latest[note.pitch] = len(result)
        result.append(note)
    return result


def hands_apart(notes: list[GridNote]) -> list[GridNote]:
    """Return the notes in order, each given to a hand.

    The melody is the right hand's. Notes of one step are split where the gap between neighbours is
    widest for its nearness to middle C, so that no hand has more than five keys or a
    tenth to span where that can be avoided.
    """
    result: list[GridNote] = []
    groups: dict[int, list[GridNote]] = {}
    for note in notes:
        groups.setdefault(note.step, []).append(note)
    for step in sorted(groups):
        group = sorted(groups[step], key=lambda note: note.pitch)
        cut = _best_cut(group)
        for k, note in enumerate(group):
            is_left = k < cut and not note.is_melody
            result.append(replace(note, is_left=is_left))
    return sorted(result)


def _best_cut(group: list[GridNote]) -> int:
    """Return how many of the lowest notes of a group go to the left hand."""

    def cost(cut: int) -> float:
        left, right = group[:cut], group[cut:]
        wrong = sum(note.is_melody for note in left) * 100.0
        for hand in (left, right):
            if hand:
                span = hand[-1].pitch - hand[0].pitch
                wrong += max(span - HAND_SPAN, 0) * 3 + max(len(hand) - HAND_NOTES, 0) * 10
        wrong += sum(max(note.pitch - SPLIT_PITCH, 0) for note in left)
        return wrong + sum(max(SPLIT_PITCH - note.pitch, 0) for note in right)

    return min(range(len(group) + 1), key=cost)


def moved(note: GridNote, steps: int) -> GridNote:
    """Return the note, later by ``steps``."""
    return replace(note, step=note.step + steps)


def ending(note: GridNote, last: int) -> GridNote:
    """Return the note, ended at step ``last`` if it lasts longer."""
    return replace(note, length=max(min(note.length, last - note.step), 1))
