"""Makes the example song that ships, at 44.1 kHz, in stereo.

``livecover-train example-song OUT.ogg``

The tune is "Auld Lang Syne", traditional, as printed with Burns's words in G. Thomson, "A Select
Collection of Original Scottish Airs" (1799), in F, one pickup beat before each line. The harmony,
the second voice and the arrangement for a band are this project's own. The same code gives the
same sound each time. Beside the sound stands its reference: melody and chords, OUT.mid.
Not here: how a groove becomes notes (``band``) and notes become sound (``render``).
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import mido
import numpy as np
import pedalboard
import soundfile
from pedalboard import Pedalboard  # type: ignore[attr-defined]  # its stubs hide it

from engine.midi.writer import Placed, track_of
from offline_train.corpora import Beat, Chord, Note, Song
from offline_train.synthesis.bands.band import Player, Rhythm, held_chords, lay_groove
from offline_train.synthesis.bands.grooves import (
    CRASH,
    HAT,
    KICK,
    OPEN_HAT,
    RIDE,
    SIDE_STICK,
    SNARE,
    TOM,
    Groove,
)
from offline_train.synthesis.render import TEMPO, Audio, fluidsynth, mix, players_to_midi

SAMPLE_RATE = 44100
SOUNDFONT = "FluidR3_GM.sf2"
SEED = 1788  # the year in which Burns sent the song to be printed
BEAT_S = 60 / 106
BEATS_PER_BAR = 4
RITARDANDO = (1.0, 1.03, 1.08, 1.16, 1.3, 1.3, 1.3, 1.3)  # beat lengths of the last two bars
RING_S = 2.5  # seconds after the last bar, in which the last chord dies away
PEAK_DBFS = -2.5  # room for what the Ogg coder adds
LOWEST_COMP_PITCH = 50

CHORDS = """
F:maj           | G:min7 C:7       | F:maj/3 D:min7  | G:min7 C:7
F:maj           | G:min7 C:7       | F:maj F:7/b7    | Bb:maj G:min7
F:maj/3 D:min   | G:min7 C:7       | Bb:maj C:7      | F:maj Bb:maj
F:maj/3 D:min   | G:min7 C:7       | F:maj F:7/b7    | Bb:maj G:min7
F:maj/3 D:min   | G:min7 C:7       | Bb:maj C:sus4(b7) | D:min D:min/b7
Bb:maj C:7      | F:maj
"""
"""Intro, verse, chorus and ending; a bar with two chords changes in its middle."""

# Pitch, a colon, beats; r is a rest. Each line of the verses begins with its pickup.
LEAD = """
r:15 C4:1
F4:1.5 F4:.5 F4:1 A4:1  G4:1.5 F4:.5 G4:1 A4:1  F4:1.5 F4:.5 A4:1 C5:1  D5:3 D5:1
C5:1.5 A4:.5 A4:1 F4:1  G4:1.5 F4:.5 G4:1 A4:1  F4:1.5 D4:.5 D4:1 C4:1  F4:3 D5:1
C5:1.5 A4:.5 A4:1 F4:1  G4:1.5 F4:.5 G4:1 D5:1  C5:1.5 A4:.5 A4:1 C5:1  D5:3 D5:1
C5:1.5 A4:.5 A4:1 F4:1  G4:1.5 F4:.5 G4:1 A4:1  F4:1.5 D4:.5 D4:1 C4:1  F4:3 A4:1
F4:1.5 D4:.5 D4:1 C4:1  F4:4
"""
SECOND = """
r:47 Bb4:1
A4:1.5 F4:.5 F4:1 D4:1  D4:1.5 D4:.5 E4:1 Bb4:1  A4:1.5 F4:.5 F4:1 A4:1  Bb4:3 Bb4:1
A4:1.5 F4:.5 F4:1 D4:1  D4:1.5 D4:.5 E4:1 E4:1  D4:1.5 Bb3:.5 Bb3:1 G3:1  A3:3 C4:1
D4:1.5 Bb3:.5 Bb3:1 G3:1  A3:4
"""
"""The second voice joins in the chorus, a third or a sixth below the tune."""

_INTRO = Groove("intro", {RIDE: "x...x...x...x...", SIDE_STICK: "............x..."},
                "1-------1-------", "x.x.x.x.x.x.x.x.", "arpeggio")  # fmt: skip
_VERSE = Groove("verse", {KICK: "x.....x.x.......", SIDE_STICK: "....x.......x...",
                          HAT: "x.o.x.o.x.o.x.o."},
                "1-----1-1-------", "x.x.x.x.x.x.x.x.", "arpeggio")  # fmt: skip
_FILL = Groove("fill", {KICK: "x.......x.......", SNARE: "....x.......x.xx",
                        TOM: "..........xx.x..", HAT: "x.o.x.o........."},
               "1-----1-1---1---", "x...x...x.x.x...", "strum")  # fmt: skip
_CHORUS = Groove("chorus", {KICK: "x.....x.x.x.....", SNARE: "....x.......x...",
                            HAT: "x.x.x.x.x.x.x...", OPEN_HAT: "..............x."},
                 "1---1-1-1---1-8-", "x...x.x...x.x.x.", "strum")  # fmt: skip
_RITARD = Groove("ritard", {KICK: "x.......x.......", RIDE: "x...x...x...x..."},
                 "1-------1-------", "x...x...x...x...", "strum")  # fmt: skip
_LAST = Groove("last", {KICK: "x...............", CRASH: "x..............."},
               "1---------------", "x...............", "strum")  # fmt: skip
_LIFT = dataclasses.replace(_CHORUS, drums={**_CHORUS.drums, CRASH: "x..............."})

SECTIONS = ((_INTRO, 4), (_VERSE, 7), (_FILL, 1), (_LIFT, 1), (_CHORUS, 6), (_FILL, 1),
            (_RITARD, 1), (_LAST, 1))  # fmt: skip
"""Each groove and its number of bars, in order."""


def beat_times() -> list[float]:
    """Return the seconds of every beat and of the end; the last two bars slow down."""
    n_beats = BEATS_PER_BAR * sum(n for _, n in SECTIONS)
    lengths = np.full(n_beats, BEAT_S)
    lengths[-len(RITARDANDO) :] *= RITARDANDO
    return [0.0, *(float(t) for t in np.cumsum(lengths))]


def parse_line(text: str, beats: list[float], velocity: int) -> list[Note]:
    """Return the notes of a line written as ``pitch:beats``; downbeats are a little stronger."""
    notes, at = [], 0.0
    for word in text.split():
        name, _, length = word.partition(":")
        if name != "r":
            onset, offset = np.interp((at, at + float(length) - 0.06), range(len(beats)), beats)
            stress = 8 if at % BEATS_PER_BAR == 0 else 0
            notes.append(Note(float(onset), float(offset), _pitch(name), velocity + stress))
        at += float(length)
    return notes


def _pitch(name: str) -> int:
    """Return the MIDI pitch of a name such as Bb4 (middle C is C4)."""
    natural = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[name[0]]
    return 12 * (int(name[-1]) + 1) + natural + name.count("#") - name.count("b")


def read_chords(text: str, beats: list[float]) -> list[Chord]:
    """Return the chords of bars parted by ``|`` or a new line; the chords of a bar share it."""
    chords = []
    bars = [bar.split() for line in text.strip().splitlines() for bar in line.split("|")]
    for k, symbols in enumerate(bars):
        edges = np.linspace(k, k + 1, len(symbols) + 1) * BEATS_PER_BAR
        times = np.interp(edges, range(len(beats)), beats).tolist()
        chords += [Chord(*row) for row in zip(times, times[1:], symbols, strict=False)]
    return chords


def write_song() -> Song:
    """Return the song as written: tune, second voice, beats and chords; there is no piano."""
    beats = beat_times()
    return Song(
        "auld-lang-syne",
        parse_line(LEAD, beats, 92),
        parse_line(SECOND, beats, 76),
        [],
        [Beat(time, k % BEATS_PER_BAR == 0) for k, time in enumerate(beats[:-1])],
        read_chords(CHORDS, beats),
    )


def _sections(song: Song) -> Iterator[tuple[Groove, Song]]:
    """Yield each groove with the beats and chords that it is laid over, and no notes."""
    first = 0
    for groove, n_bars in SECTIONS:
        beats = song.beats[first : first + n_bars * BEATS_PER_BAR]
        yield groove, Song(song.song_id, [], [], [], beats, song.chords)
        first += len(beats)


def arrange_song(song: Song) -> list[Player]:
    """Return the band: clarinet, violin in the chorus, guitar, strings, bass and drums."""
    rng = np.random.default_rng(SEED)
    drums, bass = Player("drums", 0, gain_db=5.0), Player("bass", 33, gain_db=0.5)
    guitar = Player("comp", 25, gain_db=0.0, pan=-0.45)
    for groove, section in _sections(song):
        lay_groove(section, groove, Rhythm(drums, bass, guitar), LOWEST_COMP_PITCH, rng)
    chorus = song.bridge[0].onset
    high = dataclasses.replace(song, chords=[c for c in song.chords if c.start > chorus])
    strings = Player("pad", 48, held_chords(high, LOWEST_COMP_PITCH + 5, rng), -3.0, 0.4)
    clarinet = Player("melody", 71, song.melody, 2.5, 0.05)
    violin = Player("bridge", 40, song.bridge, 0.5, 0.3)
    return [clarinet, violin, guitar, strings, bass, drums]


def render_song(players: list[Player], seconds: float, soundfont: str = SOUNDFONT) -> Audio:
    """Return the band's sound (n, 2), mastered, ``seconds`` long, with a faded end."""
    dry = mix([fluidsynth(players_to_midi(players), soundfont, SAMPLE_RATE)])
    chain = Pedalboard(
        [
            pedalboard.HighpassFilter(35),
            pedalboard.Reverb(room_size=0.35, damping=0.6, wet_level=0.12, dry_level=0.85),
            pedalboard.Compressor(threshold_db=-16, ratio=1.6, attack_ms=25, release_ms=180),
            pedalboard.Limiter(threshold_db=-2, release_ms=120),
        ]
    )
    wet = np.asarray(chain(np.ascontiguousarray(dry.T), SAMPLE_RATE).T)
    sound = np.zeros((round(seconds * SAMPLE_RATE), 2), np.float32)
    sound[: len(wet)] = wet[: len(sound)]
    fade = min(round(RING_S / 2 * SAMPLE_RATE), len(sound))
    sound[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)[:, None]
    return sound * np.float32(10 ** (PEAK_DBFS / 20) / max(float(np.abs(sound).max()), 1e-6))


def reference_midi(song: Song) -> mido.MidiFile:
    """Return tune and chords as MIDI: two tracks of notes, and the chord symbols as markers."""
    chords = held_chords(song, LOWEST_COMP_PITCH, np.random.default_rng(SEED))
    midi = players_to_midi([Player("melody", 71, song.melody), Player("chords", 0, chords)])
    symbols: list[Placed] = [
        (TEMPO.tick(chord.start), mido.MetaMessage("marker", text=chord.symbol))
        for chord in song.chords
    ]
    midi.tracks.append(track_of(symbols, "symbols"))
    return midi


def write_ogg(path: Path, sound: Audio) -> None:
    """Write sound (n, 2) as Ogg Vorbis, a second at a time: libsndfile crashes on a long block."""
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 2, format="OGG", subtype="VORBIS") as file:
        for start in range(0, len(sound), SAMPLE_RATE):
            file.write(sound[start : start + SAMPLE_RATE])


def make_song(out: Path) -> None:
    """Write the song as Ogg, and its reference beside it as MIDI."""
    song = write_song()
    sound = render_song(arrange_song(song), beat_times()[-1] + RING_S)
    write_ogg(out, sound)
    reference_midi(song).save(out.with_suffix(".mid"))
