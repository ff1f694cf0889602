"""Checks whether the arranger finds the metre (three or four) and the bar lines of songs.

Old tunes, accompanied by a bass on each bar's first beat and chords after it, in drawn keys, tempos
and SoundFont programs, played by FluidSynth. Their bars are known. Times are seconds.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import mido
import numpy as np
import soundfile

from engine.core.settings import ModelSettings
from engine.midi.tempo_map import SECOND, TICKS_PER_BEAT, TempoMap
from engine.midi.writer import Placed, midi_file, track_of
from engine.playback.soundfonts import find_soundfont
from engine.whole_song.song_analysis import find_beats
from engine.whole_song.song_analyzer import SongAnalyzer, sound_blocks
from livecover.bench import markdown
from livecover.sounds.rendering import RENDER_RATE, render_piano

ON_TIME_S = 0.07
STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
PROGRAMS = (0, 24, 40, 56, 65, 73)  # of the tune: piano, guitar, violin, trumpet, sax, flute
BASS, COMP = 32, 0
CHORD = (24, 28, 31)  # semitones over the bass

Note = tuple[float, float, int, int, int]  # begin and end in beats, channel, key, velocity


@dataclass(frozen=True, slots=True)
class Tune:
    """A tune: beats before its first bar, notes as name:beats, a chord a bar."""

    beats_per_bar: int
    upbeat: int
    notes: str
    chords: str


TUNES = {
    "Amazing Grace": Tune(
        3, 1,
        "D:1 G:2 B:.5 G:.5 B:2 A:1 G:2 E:1 D:2 D:1 G:2 B:.5 G:.5 B:2 A:1 D':5 B:1 D':2 B:.5 G:.5"
        " B:2 A:1 G:2 E:1 D:2 D:1 G:2 B:.5 G:.5 B:2 A:1 G:5",
        "G G C G G G D D G G C G G D G G",
    ),
    "Daisy Bell": Tune(
        3, 0,
        "C':3 A:3 F:3 C:3 D:1 E:1 F:1 D:2 F:1 C:6 G:3 C':3 A:3 F:3 D:1 E:1 F:1 G:2 A:1 G:6",
        "F F F F Bb Bb F F C F F F G G C C",
    ),
    "My Bonnie": Tune(
        3, 1,
        "G:1 E':1.5 D':.5 C':1 D':1 C':1 A:1 G:1 E:4 G:1 E':1.5 D':.5 C':1 C':1 B:1 C':1 D':5 G:1"
        " E':1.5 D':.5 C':1 D':1 C':1 A:1 G:1 E:4 G:1 A:1 D':1 C':1 B:1 A:1 B:1 C':5",
        "C F C C C D G G C F C C F G C C",
    ),
    "Ode to Joy": Tune(
        4, 0,
        "E:1 E:1 F:1 G:1 G:1 F:1 E:1 D:1 C:1 C:1 D:1 E:1 E:1.5 D:.5 D:2 E:1 E:1 F:1 G:1 G:1 F:1"
        " E:1 D:1 C:1 C:1 D:1 E:1 D:1.5 C:.5 C:2",
        "C G C G C G C C",
    ),
    "When the Saints": Tune(
        4, 3,
        "C:1 E:1 F:1 G:5 C:1 E:1 F:1 G:5 C:1 E:1 F:1 G:2 E:2 C:2 E:2 D:5 E:1 E:1 D:1 C:3 C:1 E:2"
        " G:1 G:1 F:6 E:1 F:1 G:2 E:2 C:2 D:2 C:5",
        "C C C C C C G G C C F F C G C C",
    ),
}  # fmt: skip


def metres(model: str, n_songs: int) -> str:
    """Return for how many of ``n_songs`` songs the bars are found; the tunes alternate."""
    rng, analyzer = np.random.default_rng(1), SongAnalyzer(settings=ModelSettings(model))
    counts = {3: [0, 0, 0], 4: [0, 0, 0]}
    with tempfile.TemporaryDirectory(prefix="livecover-") as folder:
        for k in range(n_songs):
            tune = list(TUNES.values())[k % len(TUNES)]
            bpm = float(rng.uniform(80, 180 if tune.beats_per_bar == 3 else 138))
            midi, lead = played(tune, bpm, rng)
            sound = Path(folder) / "song.wav"
            midi.save(sound.with_suffix(".mid"))
            n_samples = round((midi.length + 1) * RENDER_RATE)
            font = find_soundfont()
            soundfile.write(
                sound,
                render_piano(sound.with_suffix(".mid"), n_samples, RENDER_RATE, font),
                RENDER_RATE,
            )
            beats = find_beats(analyzer.run(sound_blocks(str(sound))))
            count = counts[tune.beats_per_bar]
            count[0] += 1
            if beats.beats_per_bar == tune.beats_per_bar:
                count[1] += 1
                bar = 60 / bpm * tune.beats_per_bar
                begins = beats.times[beats.first_downbeat :: beats.beats_per_bar] - lead
                off = np.abs((begins + bar / 2) % bar - bar / 2)
                count[2] += bool(np.median(off) <= ON_TIME_S)
    rows = [[f"{metre}/4", *count] for metre, count in counts.items()]
    return markdown(["songs in", "songs", "found so", "and bars begin where they do"], rows)


def played(tune: Tune, bpm: float, rng: np.random.Generator) -> tuple[mido.MidiFile, float]:
    """Return a tune, played twice with accompaniment, and the second of a bar's begin."""
    transposed, program = int(rng.integers(-5, 6)), int(rng.choice(PROGRAMS))
    lead = float(rng.uniform(0, 2))
    beats, chords = tune.beats_per_bar, tune.chords.split() * 2
    upbeat = beats if tune.upbeat else 0
    events: list[
        tuple[float, float, int, int, int]
    ] = []  # begin, end in beats; channel, key, velocity
    for repeat in range(2):
        at = float(upbeat - tune.upbeat + repeat * len(chords) // 2 * beats)
        for word in tune.notes.split():
            name, _, length = word.partition(":")
            key = 60 + STEPS[name[0]] + 12 * name.count("'")
            events.append((at, at + 0.95 * float(length), 0, key, 100))
            at += float(length)
    for bar, chord in enumerate(chords):
        root = 36 + STEPS[chord[0]] - chord.count("b")
        at = float(upbeat + bar * beats)
        events.append((at, at + 0.9, 1, root, 95))
        events += [
            (at + beat, at + beat + 0.8, 2, root + tone, 70)
            for beat in range(1, beats)
            for tone in CHORD
        ]
    return _midi(events, transposed, program, bpm, lead), lead + upbeat * 60 / bpm


def _midi(
    events: list[Note],
    transposed: int,
    program: int,
    bpm: float,
    lead: float,
) -> mido.MidiFile:
    tempo = TempoMap([(0.0, 0.0, 60 * SECOND / bpm)])
    messages: list[Placed] = [
        (0, mido.Message("program_change", channel=channel, program=number))
        for channel, number in enumerate((program, BASS, COMP))
    ]
    strokes = [
        (beat + lead * bpm / 60, velocity, channel, key + transposed)
        for begin, end, channel, key, loud in events
        for beat, velocity in ((begin, loud), (end, 0))
    ]
    messages += [
        (
            round(beat * TICKS_PER_BEAT),
            mido.Message("note_on", channel=channel, note=key, velocity=velocity),
        )
        for beat, velocity, channel, key in sorted(strokes)
    ]
    return midi_file([track_of([*tempo.messages(), *messages], "song")])
