"""An arrangement as MusicXML 4.0: a piano of two staves, bar by bar, with chord symbols.

Written as it goes, so that a long score takes no memory. The score begins with the first bar that
holds a note, or with an upbeat, and ends with the last. Elements stand in the order that the schema
asks for: https://www.w3.org/2021/06/musicxml40/. Not here: note values, spelling and
where signs stand (``engraving``).
"""

import zipfile
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import IO
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from engine.whole_song.arranger import Arranged
from engine.whole_song.engraving import (
    Written,
    beams,
    chord_symbols,
    pedal_signs,
    signature,
    spell,
    symbol_at,
    voice,
)
from engine.whole_song.grid import STEPS_PER_BEAT
from engine.whole_song.harmony import ChordName

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE score-partwise PUBLIC'
    ' "-//Recordare//DTD MusicXML 4.0 Partwise//EN"'
    ' "http://www.musicxml.org/dtds/partwise.dtd">\n<score-partwise version="4.0">\n'
)
PART = "P1"
INSTRUMENT = "Piano"
KINDS = {  # of MusicXML, and as it is shown
    "maj": ("major", ""),
    "min": ("minor", "m"),
    "7": ("dominant", "7"),
    "maj7": ("major-seventh", "maj7"),
    "min7": ("minor-seventh", "m7"),
    "sus4": ("suspended-fourth", "sus4"),
    "dim": ("diminished", "dim"),
}
ACCIDENTALS = {-1: "flat", 0: "natural", 1: "sharp"}
VOICES = {1: "1", 2: "5"}  # of a staff; notation programs give four to each
FULL_VELOCITY = 90  # that MusicXML calls 100 percent


def write_score(arranged: Arranged, title: str, file: IO[bytes]) -> None:
    """Write a score to a file that is open."""
    file.write(HEAD.encode())
    for element in _header(title):
        file.write(_text(element, level=1))
    file.write(f'  <part id="{PART}">\n'.encode())
    for measure in _measures(arranged):
        file.write(_text(measure, level=2))
    file.write(b"  </part>\n</score-partwise>\n")


def write_compressed(arranged: Arranged, title: str, file: IO[bytes]) -> None:
    """Write a score as an .mxl archive to a file that is open."""
    container = Element("container")
    files = SubElement(container, "rootfiles")
    SubElement(files, "rootfile", {"full-path": "score.musicxml"})
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", _text(container, level=0))
        with archive.open("score.musicxml", "w", force_zip64=True) as score:
            write_score(arranged, title, score)


def _text(element: Element, level: int) -> bytes:
    indent(element, level=level)
    return b"  " * level + tostring(element, "unicode").encode() + b"\n"


def _add(parent: Element, name: str, text: object = None, **attributes: str) -> Element:
    child = SubElement(parent, name, {k.replace("_", "-"): v for k, v in attributes.items()})
    if text is not None:
        child.text = str(text)
    return child


def _header(title: str) -> Iterator[Element]:
    """Yield what stands before the part: title, who arranged it, the instrument."""
    work = Element("work")
    clean = "".join(c for c in title if c.isprintable()).encode(errors="replace").decode()
    _add(work, "work-title", clean)
    yield work
    made = Element("identification")
    _add(made, "creator", "livecover", type="arranger")
    _add(_add(made, "encoding"), "software", "livecover")
    yield made
    parts = Element("part-list")
    part = _add(parts, "score-part", id=PART)
    _add(part, "part-name", INSTRUMENT)
    _add(_add(part, "score-instrument", id=f"{PART}-I1"), "instrument-name", INSTRUMENT)
    midi = _add(part, "midi-instrument", id=f"{PART}-I1")
    _add(midi, "midi-channel", 1)
    _add(midi, "midi-program", 1)
    yield parts


def _measures(arranged: Arranged) -> Iterator[Element]:
    """Yield the bars."""
    grid, sharps = arranged.analysis.grid, arranged.analysis.key.sharps
    first, last = _extent(arranged)
    hands = [[n for n in arranged.notes if n.is_left == is_left] for is_left in (False, True)]
    staves = [voice(notes, grid.steps_per_bar, first, last) for notes in hands]
    symbols = chord_symbols(arranged.analysis.chords)
    pedals = pedal_signs(arranged.pedals, first, last)
    has_upbeat = first % grid.steps_per_bar > 0
    bars = list(zip(*staves, strict=True))
    for k, (right, left) in enumerate(bars):
        measure = Element("measure", {"number": str(k if has_upbeat else k + 1)})
        if k == 0:
            if has_upbeat:
                measure.set("implicit", "yes")
            _attributes(measure, arranged)
        start = (first // grid.steps_per_bar + k) * grid.steps_per_bar
        begin = max(first, start)
        shown = {
            step - start: symbols[step]
            for step in range(begin, start + grid.steps_per_bar)
            if step in symbols
        }
        if k == 0 and 0 not in shown and (named := symbol_at(symbols, begin)) is not None:
            shown[begin - start] = named
        _staff(measure, 1, right, sharps, grid.steps_per_bar, shown)
        backup = _add(measure, "backup")
        _add(backup, "duration", start + grid.steps_per_bar - begin)
        inside = range(start, start + grid.steps_per_bar)
        pressed = {step - start: kind for step, kind in pedals if step in inside}
        _staff(measure, 2, left, sharps, grid.steps_per_bar, {}, pressed)
        if k == len(bars) - 1:
            line = _add(measure, "barline", location="right")
            _add(line, "bar-style", "light-heavy")
        yield measure


def _extent(arranged: Arranged) -> tuple[int, int]:
    """Return the steps where a score begins and ends: whole bars, or an upbeat of at most half."""
    bar = arranged.analysis.grid.steps_per_bar
    if not arranged.notes:
        return 0, bar
    earliest = min(note.step for note in arranged.notes)
    last = max(note.step + note.length for note in arranged.notes)
    first = earliest // bar * bar
    if earliest - first >= bar / 2 and last > first + bar:
        first = earliest // STEPS_PER_BEAT * STEPS_PER_BEAT
    return first, -(-last // bar) * bar


def _pedal(measure: Element, kind: str, offset: int, staff: int) -> None:
    """Add signs of the pedal; one that is changed is lifted and goes down."""
    for sign in ("stop", "start") if kind == "change" else (kind,):
        direction = _add(measure, "direction", placement="below")
        _add(_add(direction, "direction-type"), "pedal", type=sign, sign="yes", line="no")
        if offset:
            _add(direction, "offset", offset)
        _add(direction, "staff", staff)


def _attributes(measure: Element, arranged: Arranged) -> None:
    """Add key, metre, staves and clefs, and the tempo."""
    analysis = arranged.analysis
    attributes = _add(measure, "attributes")
    _add(attributes, "divisions", STEPS_PER_BEAT)
    key = _add(attributes, "key")
    _add(key, "fifths", analysis.key.sharps)
    _add(key, "mode", "minor" if analysis.key.is_minor else "major")
    time = _add(attributes, "time")
    _add(time, "beats", analysis.grid.beats_per_bar)
    _add(time, "beat-type", 4)
    _add(attributes, "staves", 2)
    for number, sign, line in (("1", "G", 2), ("2", "F", 4)):
        clef = _add(attributes, "clef", number=number)
        _add(clef, "sign", sign)
        _add(clef, "line", line)
    bpm = round(analysis.grid.bpm)
    direction = _add(measure, "direction", placement="above")
    mark = _add(_add(direction, "direction-type"), "metronome")
    _add(mark, "beat-unit", "quarter")
    _add(mark, "per-minute", bpm)
    _add(direction, "staff", 1)
    _add(direction, "sound", tempo=str(bpm))


def _staff(
    measure: Element,
    staff: int,
    bar: list[Written],
    sharps: int,
    steps_per_bar: int,
    symbols: dict[int, ChordName],
    pedals: Mapping[int, str] = MappingProxyType({}),
) -> None:
    """Add a bar of a staff, chord symbols and pedals among its notes."""
    altered: dict[tuple[str, int], int] = {}  # by accidentals, to the end of the bar
    for written, beamed in zip(bar, beams(bar), strict=True):
        for at in range(written.start, written.start + written.length):
            if at in symbols:
                _symbol(measure, symbols[at], sharps, at - written.start)
            if at in pedals:
                _pedal(measure, pedals[at], at - written.start, staff)
        if not written.pitches:
            note = _add(measure, "note")
            is_whole = written.length == steps_per_bar
            _add(note, "rest", **({"measure": "yes"} if is_whole else {}))
            _finish(note, written, staff, None, has_value=not is_whole)
        for k, pitch in enumerate(written.pitches):
            note = _add(measure, "note", dynamics=f"{100 * written.velocity / FULL_VELOCITY:.0f}")
            if k:
                _add(note, "chord")
            spelled = spell(pitch, sharps)
            place = spelled.letter, spelled.octave
            shown = altered.get(place, signature(sharps).get(spelled.letter, 0))
            has_accidental = shown != spelled.alter and not written.is_tied_from
            if has_accidental:
                altered[place] = spelled.alter
            height = _add(note, "pitch")
            _add(height, "step", spelled.letter)
            if spelled.alter:
                _add(height, "alter", spelled.alter)
            _add(height, "octave", spelled.octave)
            accidental = ACCIDENTALS[spelled.alter] if has_accidental else None
            _finish(note, written, staff, accidental, beamed if not k else [])


def _finish(
    note: Element,
    written: Written,
    staff: int,
    accidental: str | None,
    beamed: list[str] | None = None,
    has_value: bool = True,
) -> None:
    """Add to a note what follows its pitch: length, ties, value, accidental, staff, beams."""
    _add(note, "duration", written.length)
    ties = [kind for kind, is_on in _ties(written) if is_on]
    for kind in ties:
        _add(note, "tie", type=kind)
    _add(note, "voice", VOICES[staff])
    if has_value:
        _add(note, "type", written.value)
        if written.has_dot:
            _add(note, "dot")
    if accidental is not None:
        _add(note, "accidental", accidental)
    _add(note, "staff", staff)
    for number, what in enumerate(beamed or [], start=1):
        _add(note, "beam", what, number=str(number))
    if ties:
        notations = _add(note, "notations")
        for kind in ties:
            _add(notations, "tied", type=kind)


def _ties(written: Written) -> tuple[tuple[str, bool], tuple[str, bool]]:
    return ("stop", written.is_tied_from), ("start", written.is_tied_on)


def _symbol(measure: Element, chord: ChordName, sharps: int, offset: int) -> None:
    """Add a chord symbol over the next note, or later by so many steps."""
    harmony = _add(measure, "harmony")
    _degree(harmony, "root", chord.root, sharps)
    kind, text = KINDS[chord.quality]
    _add(harmony, "kind", kind).set("text", text)
    if chord.bass != chord.root:
        _degree(harmony, "bass", chord.bass, sharps)
    if offset:
        _add(harmony, "offset", offset)
    _add(harmony, "staff", 1)


def _degree(harmony: Element, name: str, pitch_class: int, sharps: int) -> None:
    spelled = spell(pitch_class + 60, sharps)
    element = _add(harmony, name)
    _add(element, f"{name}-step", spelled.letter)
    if spelled.alter:
        _add(element, f"{name}-alter", spelled.alter)
