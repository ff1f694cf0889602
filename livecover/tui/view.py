"""Renders the terminal view as lines of text. Not here: showing it (``livecover.tui.screen``)."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from engine.core.tempo import Beat, BeatState
from engine.model.latency import LatencyBudget
from engine.signal.meters import Level, Status
from livecover.commands.status import tuning_text
from livecover.mapping.targets import SETTINGS, Range
from livecover.settings.sections import Settings
from livecover.tui.roll import ACCOMPANIMENT, EMPTY, MELODY, ONSET, Span, grid

FLOOR_DBFS = -60.0
METER_COLUMNS = 24
"""Of all channels together, with the gaps between them."""
MAX_CHANNELS = 8
"""Most input channels that are shown."""
COLOURS = {
    ACCOMPANIMENT: "dodger_blue1",
    MELODY: "dark_orange",
    ACCOMPANIMENT + ONSET - 1: "light_sky_blue1",
    MELODY + ONSET - 1: "light_goldenrod1",
}
PARTS = ("cyan", "blue", "magenta", "green", "yellow", "red")
"""Colours of the latency's parts, repeated."""
KEYS = (
    "space start, stop",
    "1-3 ←→ style",
    "↑↓ density",
    "- + transpose",
    "< > octave",
    "d hands",
    "a parts",
    "c mode",
    "y rhythm",
    "m mute",
    "h hold",
    "t tap",
    "o one",
    "[ ] half, double",
    ", . nudge",
    "r record",
    "p panic",
    "q quit",
)
GAP = "   "


@dataclass(frozen=True, slots=True)
class ViewState:
    """Everything that the view shows."""

    settings: Settings
    status: Status
    budget: LatencyBudget
    names: tuple[str, str, str]
    """Of source, sink and model; empty when idle."""
    is_recording: bool
    recording_fault: str
    spans: tuple[Span, ...]
    now: float
    song_now: float
    """The time of the input that is heard now: a monitor plays it later."""
    log_line: str
    """The last line of the log."""
    n_link_peers: int | None = None
    """Other programs in the session of Ableton Link; None without one."""


def render_lines(state: ViewState, width: int, height: int) -> list[Text]:
    """Return ``height`` lines, none wider than ``width``: what does not fit one takes another."""
    top = [*_wrapped(_title(state), width), *_wrapped(_where(state), width, " ")]
    below = [
        _meters(state.status),
        *_wrapped(_latency(state.budget, width), width, " "),
        *_wrapped(_counts(state.status), width),
        *_wrapped(_played(state), width),
        *_wrapped([Text(words, "dim") for words in KEYS], width, "  "),
        *_wrapped(_words(state.log_line, "bright_yellow"), width, " "),
    ]
    n_rows = max(0, height - len(top) - len(below))
    found = [*top, *_roll(state, width, n_rows), *below][:height]
    for line in found:
        line.no_wrap = True
        line.truncate(width, overflow="ellipsis")
    return found


def _wrapped(items: Sequence[Text], width: int, gap: str = GAP) -> list[Text]:
    """Return the items on as many lines as they need, ``gap`` between two of a line.

    >>> [line.plain for line in _wrapped([Text("abc"), Text("de"), Text("f")], 6, " ")]
    ['abc de', 'f']
    """
    lines = [Text()]
    for item in items:
        if lines[-1].plain and lines[-1].cell_len + len(gap) + item.cell_len > width:
            lines.append(Text())
        if lines[-1].plain:
            lines[-1].append(gap)
        lines[-1].append_text(item)
    return lines


def _words(text: str, style: str) -> list[Text]:
    return [Text(word, style) for word in text.split()]


def _title(state: ViewState) -> list[Text]:
    model = state.names[2]
    found = [Text.assemble(("livecover", "bold"), f"  {model}" if model else "  stopped")]
    if state.recording_fault:
        found += [Text(f"✗ {state.recording_fault}", "bold red")]
    elif state.is_recording:
        found.append(Text("● recording", "bold red"))
    if state.status.accompanist:
        found.append(Text(state.status.accompanist, "bold cyan"))
    if state.n_link_peers is not None:
        found.append(
            Text(f"Link {state.n_link_peers}", "bold green" if state.n_link_peers else "dim")
        )
    if state.status.is_asleep:
        found.append(Text("asleep in silence", "dim"))
    return found


def _beat(beat: Beat, now: float) -> Text:
    """Return tempo, bar, and a light for each of its beats; dim where they are not sure.

    >>> from engine.core.tempo import Tempo
    >>> _beat(Beat("heard", BeatState.LOCKED, 1.0, Tempo(120.0, 10.0, 8)), 10.6).plain
    '♩ 120.0  bar 3 ·●··'
    """
    if beat.tempo is None:
        return Text("♩ –", "dim")
    text = f"♩ {beat.tempo.bpm:.1f}"
    if (place := beat.place(now)) is not None:
        lights = ["·"] * beat.tempo.beats_per_bar
        lights[place[1] - 1] = "●"
        text += f"  bar {place[0]} {''.join(lights)}"
    return Text(text, "bold" if beat.state is BeatState.LOCKED else "dim")


def _where(state: ViewState) -> list[Text]:
    source, sink, model = state.names
    if not model:
        return [Text("nothing plays", "dim")]
    if not state.status.is_connected:
        return [Text(f"waiting for {source}", "bold yellow")]
    if not state.status.is_midi_connected:
        return [Text(f"{source} →", "bold yellow"), Text(f"waiting for {sink}", "bold yellow")]
    tuning = tuning_text(state.status.a4_hz)
    return [Text(f"{source}{tuning} →", "dim"), Text(sink, "dim")]


def _roll(state: ViewState, width: int, n_rows: int) -> list[Text]:
    """Return the piano roll: half a line for each level of pitch, the present on the right."""
    if not n_rows:
        return []
    seconds = state.settings.tui.seconds
    cells = grid(state.spans, state.now - seconds, state.now, width, 2 * n_rows)
    rows = []
    for upper, lower in zip(cells[::2], cells[1::2], strict=True):
        row = Text()
        start = 0
        for column in range(1, width + 1):  # one piece of text for equal cells
            if column < width and (upper[column], lower[column]) == (upper[start], lower[start]):
                continue
            _append(row, upper[start], lower[start], column - start)
            start = column
        rows.append(row)
    return rows


def _append(row: Text, upper: int, lower: int, n: int) -> None:
    """Append ``n`` columns of two levels."""
    if upper == lower:
        row.append(("█" if upper else " ") * n, COLOURS.get(upper, ""))
    elif lower == EMPTY:
        row.append("▀" * n, COLOURS[upper])
    elif upper == EMPTY:
        row.append("▄" * n, COLOURS[lower])
    else:
        row.append("▀" * n, f"{COLOURS[upper]} on {COLOURS[lower]}")


def _meters(status: Status) -> Text:
    levels = status.levels[:MAX_CHANNELS] or (Level(status.peak_dbfs, status.peak_dbfs),)
    text = Text("in ")
    for level in levels:
        n_columns = min(METER_COLUMNS, (METER_COLUMNS + 2) // len(levels) - 1)
        text.append_text(_level(level, n_columns)).append(" ")
    text.append(f"{max(level.hold_dbfs for level in levels):4.0f} dB ")
    text.append("CLIP" if status.is_clipping else "    ", "bold red").append(" load ")
    load = min(1.0, status.load)
    colour = "red" if load > 0.8 else "yellow" if load > 0.5 else "green"
    text.append(_bar(load, 12), colour)
    return text.append(f" {status.load:.0%}, at most {status.max_load:.0%}")


def _level(level: Level, n: int) -> Text:
    """Return a channel's bar of ``n`` columns, with a mark at its held peak.

    >>> _level(Level(-30.0, -15.0), 8).plain
    '████  ▕ '
    """
    share, held = (
        min(1.0, max(0.0, 1 - d / FLOOR_DBFS)) for d in (level.peak_dbfs, level.hold_dbfs)
    )
    colour = "red" if level.peak_dbfs > -0.1 else "yellow" if level.peak_dbfs > -6 else "green"
    bar = _bar(share, n)
    mark = min(n - 1, int(n * held))
    if bar[mark] == " " and held > 0:
        bar = f"{bar[:mark]}▕{bar[mark + 1 :]}"
    return Text(bar, colour)


def _latency(budget: LatencyBudget, width: int) -> list[Text]:
    """Return the latency as a bar of its parts, and their names."""
    bar = Text(f"{1000 * budget.total:.0f} ms ")
    n_columns = max(8, min(24, width // 4))
    names = []
    for k, (name, seconds) in enumerate(budget.parts):
        colour = PARTS[k % len(PARTS)]
        share = seconds / budget.total if budget.total > 0 else 0.0
        bar.append("█" * round(n_columns * min(share, 1.0)), colour)
        names.append(Text(f"{name} {1000 * seconds:.0f}", colour))
    return [bar, *names]


def _counts(status: Status) -> list[Text]:
    troubles = (
        ("late", status.n_late),
        ("dropped", status.n_dropped),
        ("overruns", status.n_overruns),
        ("skipped", status.n_skipped_frames),
        ("losses", status.n_losses),
        ("port losses", status.n_midi_losses),
    )
    counts = [Text(f"{n} {name}", "yellow" if n else "dim") for name, n in troubles]
    return [Text(f"{status.n_notes} notes"), *counts]


def _played(state: ViewState) -> list[Text]:
    """Return the beat, and the settings that keys change."""
    settings = state.settings
    scale = SETTINGS["model.style"]
    assert isinstance(scale, Range)
    intensity = scale.number(settings.model.style)
    name = settings.model.style
    style = Text("style ")
    if intensity is not None:
        place = round(12 * intensity)
        style.append("─" * place).append("●", "bold").append("─" * (12 - place))
    shown = "own" if isinstance(name, tuple) else f"{name:.2f}" if isinstance(name, float) else name
    style.append(f" {shown}")
    rhythm = "" if settings.is_accompanying else f", {settings.play.rhythm}"
    midi = settings.midi
    words = [
        f"density {settings.decoder.density:g}",
        f"{settings.play.mode}{rhythm}",
        settings.play.parts,
        f"transpose {midi.transpose:+d}" * (midi.transpose != 0),
        f"octave {midi.octave:+d}" * (midi.octave != 0),
    ]
    switches = (
        (settings.play.mute, "MUTE"),
        (settings.play.hold, "HOLD"),
        (settings.play.hands, "two hands"),
    )
    return [
        style,
        *(Text(word) for word in words if word),
        *(Text(word, "bold") for is_on, word in switches if is_on),
        _beat(state.status.beat, state.song_now),
    ]


def _bar(share: float, n: int) -> str:
    """Return a bar of ``n`` columns, exact to an eighth of a column.

    >>> _bar(0.5, 4), _bar(0.03125, 4)
    ('██  ', '▏   ')
    """
    eighths = round(8 * n * share)
    full, rest = divmod(eighths, 8)
    return f"{'█' * full}{' ▏▎▍▌▋▊▉'[rest] if rest else ''}".ljust(n)
