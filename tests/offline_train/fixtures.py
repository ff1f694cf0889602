"""A tiny data folder in POP909's format; the music in it is made up here.

Each song: four bars of 4/4 at 120 beats a minute, so 8 s; a beat is 0.5 s.
"""

import json
from pathlib import Path

import mido

from offline_train.corpora import Note

TICKS = 480  # a beat
BEAT_S = 0.5
N_BEATS = 16
CHORDS = ("C:maj", "A:min7", "F:maj/3", "G:sus4(b7)")  # one a bar

Line = tuple[tuple[float, float, int, int], ...]
"""(first beat, length in beats, pitch, velocity) of each note."""

MELODY: Line = tuple((k, 0.9, 72 + (0, 4, 7, 5)[k % 4], 100) for k in range(N_BEATS))
BRIDGE: Line = tuple((4 * bar, 3.5, 64 + bar, 80) for bar in range(4))
PIANO: Line = tuple(
    (4 * bar + beat, 1.8, pitch, 70)
    for bar, root in enumerate((48, 45, 41, 43))
    for beat in (0, 2)
    for pitch in (root, root + 12, root + 19)
) + ((0, 0.9, 72, 60),)  # doubles the first note of the melody


def notes_of(line: Line) -> list[Note]:
    """The notes in seconds, as a reader must give them."""
    return sorted(Note(at * BEAT_S, (at + n) * BEAT_S, p, v) for at, n, p, v in line)


def track(name: str, line: Line) -> mido.MidiTrack:
    events = [(round(at * TICKS), 1, pitch, velocity) for at, _, pitch, velocity in line]
    events += [(round((at + n) * TICKS), 0, pitch, 0) for at, n, pitch, _ in line]
    messages, now = mido.MidiTrack([mido.MetaMessage("track_name", name=name)]), 0
    for tick, _, pitch, velocity in sorted(events):
        messages.append(
            mido.Message("note_on", note=pitch, velocity=velocity, time=tick - now)
        )  # velocity 0 ends a note, as in POP909
        now = tick
    return messages


def write_song(folder: Path) -> Path:
    """Write ``folder/NAME.mid`` and its annotations, NAME being the folder's own name."""
    folder.mkdir(parents=True)
    midi = mido.MidiFile(ticks_per_beat=TICKS)
    midi.tracks.append(mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000)]))
    for name, line in (("MELODY", MELODY), ("BRIDGE", BRIDGE), ("PIANO", PIANO)):
        midi.tracks.append(track(name, line))
    midi.save(folder / f"{folder.name}.mid")
    beats = [f"{k * BEAT_S} {float(k % 2 == 0)} {float(k % 4 == 0)}" for k in range(N_BEATS)]
    (folder / "beat_midi.txt").write_text("\n".join(beats) + "\n")
    chords = [f"{2.0 * k}\t{2.0 * (k + 1)}\t{symbol}" for k, symbol in enumerate(CHORDS)]
    (folder / "chord_midi.txt").write_text("\n".join(chords) + "\n")
    return folder


def write_data(data: Path, n_train: int = 2) -> Path:
    """Write a data folder: songs 001.. for training, 901 for validation, 902 for the test."""
    splits = {
        "train": [f"{k + 1:03d}" for k in range(n_train)],
        "valid": ["901"],
        "test": ["902"],
    }
    for song_id in sum(splits.values(), []):
        write_song(data / "pop909" / song_id)
    (data / "splits.json").write_text(json.dumps({"pop909": splits}))
    return data


def write_solo(folder: Path, n_pieces: int) -> Path:
    """Write piano pieces as GiantMIDI has them, one track each: the first is test, then valid."""
    folder.mkdir(parents=True)
    for k in range(n_pieces):
        midi = mido.MidiFile(ticks_per_beat=TICKS)
        midi.tracks.append(mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000)]))
        midi.tracks.append(track("piano", PIANO))
        midi.save(folder / f"piece{k}.mid")
    return folder
