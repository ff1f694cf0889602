"""Makes sound: players to stereo audio (FluidSynth or a random synthesizer), mix and master.

Audio is float32 (n, 2). Rendering runs at 32 kHz, since FluidSynth does not filter what it
transposes above the Nyquist frequency. Not here: what is played (``band``).
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import mido
import numpy as np
import pedalboard
import soundfile
from numpy.typing import NDArray
from pedalboard import Pedalboard  # type: ignore[attr-defined]  # its stubs hide it

from engine.core.errors import DataError
from engine.midi.tempo_map import TempoMap
from engine.midi.writer import Placed, midi_file, track_of
from engine.playback.soundfonts import SOUNDFONT_FOLDERS, installed_soundfonts
from offline_train.corpora import Note
from offline_train.synthesis.bands.band import Player

Audio = NDArray[np.float32]

RENDER_RATE = 32000
TEMPO = TempoMap()  # 120 beats a minute
DRUM_CHANNEL = 9
RELEASE_S = 1.0
SOUNDFONT_VARIABLE = "LIVECOVER_SOUNDFONTS"
"""Names a folder of SoundFonts that is looked into first."""


def find_soundfont(name: str) -> Path:
    """Return a SoundFont by file name or path. Raises DataError saying how to get it."""
    if Path(name).is_file():
        return Path(name)
    own = os.environ.get(SOUNDFONT_VARIABLE)
    for path in installed_soundfonts([*([Path(own)] if own else []), *SOUNDFONT_FOLDERS]):
        if path.name == name:
            return path
    folders = ", ".join(map(str, SOUNDFONT_FOLDERS))
    raise DataError(f"expected the SoundFont {name} in {folders}; run scripts/install-system train")


def players_to_midi(players: Sequence[Player]) -> mido.MidiFile:
    """Return a type-1 MIDI file at 120 beats a minute; drums on channel 10."""
    tracks = []
    channels = iter([c for c in range(16) if c != DRUM_CHANNEL])
    for player in players:
        channel = DRUM_CHANNEL if player.role == "drums" else next(channels)
        level = int(np.clip(90 * 10 ** (player.gain_db / 40), 1, 127))
        pan = int(64 + 63 * player.pan)
        settings = [
            mido.Message("program_change", channel=channel, program=player.program),
            mido.Message("control_change", channel=channel, control=7, value=level),
            mido.Message("control_change", channel=channel, control=10, value=pan),
        ]
        messages = [(0, one) for one in settings] + _note_messages(player.notes, channel)
        tracks.append(track_of(messages, player.role))
    return midi_file(tracks)


def _note_messages(notes: Sequence[Note], channel: int) -> list[Placed]:
    events: list[tuple[int, int, int, int]] = []
    for note in notes:
        on = TEMPO.tick(note.onset)
        off = max(TEMPO.tick(note.offset), on + 1)
        events += [(on, 1, note.pitch, note.velocity), (off, 0, note.pitch, 0)]
    return [
        (
            tick,
            mido.Message(
                "note_on" if is_on else "note_off", channel=channel, note=pitch, velocity=velocity
            ),
        )
        for tick, is_on, pitch, velocity in sorted(events)
    ]


def fluidsynth(midi: mido.MidiFile, soundfont: str, sample_rate: int = RENDER_RATE) -> Audio:
    """Return the sound (n, 2) of a MIDI file.

    Raises
    ------
    DataError
        If FluidSynth or the SoundFont is missing, or FluidSynth fails.
    """
    program = shutil.which("fluidsynth")
    if program is None:
        raise DataError("expected the program fluidsynth; run scripts/install-system")
    with tempfile.TemporaryDirectory() as folder:
        song, sound = Path(folder) / "song.mid", Path(folder) / "song.wav"
        midi.save(song)
        command = [program, "-ni", "-q", "-g", "0.5", "-r", str(sample_rate)]
        options = ("reverb.active=0", "chorus.active=0", "dynamic-sample-loading=1")
        for option in (f"synth.{name}" for name in options):
            command += ["-o", option]
        command += ["-O", "float", "-F", str(sound), str(find_soundfont(soundfont)), str(song)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if not sound.is_file():
            raise DataError(f"fluidsynth made no sound: {done.stderr.strip()[-300:]}")
        audio, _ = soundfile.read(sound, dtype="float32", always_2d=True)
    return np.asarray(audio, np.float32)


def random_synth(player: Player, rng: np.random.Generator, sample_rate: int = RENDER_RATE) -> Audio:
    """Return a part (n, 2) played by an additive synthesizer with a random timbre.

    Harmonic roll-off, odd or even emphasis, attack, decay, vibrato and detune are drawn once.
    """
    n_harmonics = int(rng.integers(3, 14))
    order = np.arange(1, n_harmonics + 1)
    weights = order ** -rng.uniform(0.6, 2.2) * rng.uniform(0.3, 1.0, n_harmonics)
    if rng.random() < 0.3:
        weights[1::2] *= 0.1
    attack = rng.choice([0.003, 0.01, 0.04, 0.08])
    decay = rng.choice([0.0, 0.5, 2.0, 6.0])
    vibrato_hz, vibrato_cents = rng.uniform(4.5, 6.5), rng.choice([0.0, 0.0, 15.0, 35.0])
    end = max((n.offset for n in player.notes), default=0.0) + RELEASE_S
    mono = np.zeros(int(end * sample_rate), np.float32)
    for note in player.notes:
        seconds = min(note.offset - note.onset, 8.0) + 0.08
        t = np.arange(int(seconds * sample_rate)) / sample_rate
        f0 = 440 * 2 ** ((note.pitch - 69) / 12)
        swing = vibrato_cents / 1200 * np.log(2) / (2 * np.pi * vibrato_hz)
        phase = 2 * np.pi * f0 * (t + swing * np.sin(2 * np.pi * vibrato_hz * t))
        keep = order * f0 < 0.45 * sample_rate
        tone = np.zeros(len(t))
        for k, weight in zip(order[keep], weights[keep], strict=True):
            tone += weight * np.sin(k * phase)
        envelope = np.minimum(1, t / attack) * np.exp(-decay * t)
        envelope *= np.clip((seconds - t) / 0.08, 0, 1)
        start = int(note.onset * sample_rate)
        stop = min(start + len(t), len(mono))
        mono[start:stop] += (tone * envelope * (note.velocity / 127) ** 1.5)[: stop - start]
    mono *= 0.12 * 10 ** (player.gain_db / 20) / max(weights.sum(), 1e-6)
    right = (1 + player.pan) / 2
    return np.stack([mono * np.sqrt(1 - right), mono * np.sqrt(right)], 1).astype(np.float32)


def mix(stems: Sequence[Audio]) -> Audio:
    """Return the sum of stems of any length, scaled to a peak of 0.7."""
    total = np.zeros((max(len(s) for s in stems), 2), np.float32)
    for stem in stems:
        total[: len(stem)] += stem
    peak = float(np.abs(total).max())
    return total * (0.7 / peak) if peak > 0 else total


def master(audio: Audio, rng: np.random.Generator, sample_rate: int = RENDER_RATE) -> Audio:
    """Return the mix (n, 2) through a random chain of EQ, reverb, drive, compression and MP3."""
    chain: list[pedalboard.Plugin] = [
        pedalboard.LowShelfFilter(float(rng.uniform(60, 250)), float(rng.uniform(-9, 9))),
        pedalboard.PeakFilter(float(rng.uniform(300, 3000)), float(rng.uniform(-7, 7)), 0.8),
        pedalboard.HighShelfFilter(float(rng.uniform(2500, 6000)), float(rng.uniform(-12, 9))),
    ]
    if rng.random() < 0.25:
        chain.append(pedalboard.Distortion(float(rng.uniform(2, 14))))
    if rng.random() < 0.7:
        chain.append(
            pedalboard.Reverb(
                room_size=float(rng.uniform(0.1, 0.8)), wet_level=float(rng.uniform(0.03, 0.35))
            )
        )
    if rng.random() < 0.7:
        chain.append(
            pedalboard.Compressor(
                float(rng.uniform(-30, -10)), float(rng.uniform(2, 8)), float(rng.uniform(1, 20))
            )
        )
    if rng.random() < 0.3:
        chain.append(pedalboard.MP3Compressor(float(rng.uniform(2, 7))))
    out = Pedalboard(chain)(np.ascontiguousarray(audio.T), sample_rate).T
    peak = max(float(np.abs(out).max()), 1e-6)
    level = float(rng.uniform(0.12, 1.0))
    noise = 10 ** (rng.uniform(-90, -50) / 20) * rng.standard_normal(out.shape)
    return np.asarray(out * (level / peak) + noise, np.float32)
