"""Plays a song as dry stems, so that training can mix and master each crop anew.

A song is played twice over, by two bands: one on hand-made grooves, one on MMA's; its melody is
played and, often, sung. Stems are mono float32 at ``SAMPLE_RATE``, levelled to ``LEVEL``.
Not here: how they are mixed (``mixing``) and stored (``prepare``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import soxr
from numpy.typing import NDArray

from offline_train.corpora import Note, Piece, Song
from offline_train.synthesis.band_renders import TRAIN_DRUMS
from offline_train.synthesis.bands.band import Player, arrange
from offline_train.synthesis.bands.grooves import TRAIN_GROOVES
from offline_train.synthesis.bands.mma import mma_players
from offline_train.synthesis.pianos.modelled import ModelledPiano
from offline_train.synthesis.pianos.recorded import recorded_piano
from offline_train.synthesis.render import fluidsynth, players_to_midi, random_synth
from offline_train.synthesis.sound_sources import Choice, Render, SoundSources, small_sources
from offline_train.synthesis.voices.people import HELD_OUT_PEOPLE, TRAIN_PEOPLE
from offline_train.synthesis.voices.produced import sing_behind, sing_lead
from offline_train.synthesis.voices.voice import TRAIN_VOICES, sing

Array = NDArray[np.float32]

SAMPLE_RATE = 16000
DRY_RATE = 24000  # above what is kept: FluidSynth does not filter what it transposes
TRAIN_SOUNDFONTS = ("FluidR3_GM.sf2", "FluidR3_GM.sf2", "OPL-3_FM_128M.sf2", "sf_GMbank.sf2")
LEVEL = 0.1  # RMS of a stem while it sounds
PEAK = 0.95
GAP_S = 2.0
STEM_OF_ROLE = {
    "melody": "lead",
    "bridge": "second",
    "bass": "bass",
    "comp": "chords",
    "pad": "pads",
    "drums": "drums",
    "piano": "piano",
}
STEM_OF_PART = {"melody": "lead", "voice": "lead", "bass": "bass", "drums": "drums", "pad": "pads"}
PIANOS = (
    ("FluidR3_GM.sf2", 0),
    ("FluidR3_GM.sf2", 0),
    ("FluidR3_GM.sf2", 1),
    ("FluidR3_GM.sf2", 2),
    ("FluidR3_GM.sf2", 3),
    ("sf_GMbank.sf2", 0),
    ("sf_GMbank.sf2", 0),
    ("sf_GMbank.sf2", 1),
)
MODELLED_SHARE = 0.5  # of solo pianos
SUNG_SHARE = 0.6
SYNTH_SHARE = 0.2
CHOIR_SHARE = 0.4  # of leads as on records


@dataclass(frozen=True, slots=True)
class Stem:
    """One part: its samples (n,), the notes that sound in it (none of drums), who plays it."""

    role: str  # lead, voice, choir, second, bass, chords, pads, drums, piano; with "mma-" before
    samples: Array
    notes: list[Note]
    source: str


def installed_sources() -> SoundSources:
    """Return the sounds that ``scripts/install-system train`` brings."""
    return SoundSources(TRAIN_SOUNDFONTS, TRAIN_DRUMS, PIANOS, TRAIN_VOICES, fluidsynth)


def people_sources(is_held_out: bool = False) -> SoundSources:
    """Return the installed sounds with people's voices for leads as records have them.

    Speech programs sing one lead in four, but not beside people that are held out.
    """
    singers = HELD_OUT_PEOPLE if is_held_out else (*TRAIN_PEOPLE, *TRAIN_VOICES)
    return replace(installed_sources(), voices=singers, is_produced=True)


def sources_of(choice: Choice, is_held_out: bool = False) -> SoundSources:
    """Return the sounds of that name; ``is_held_out``: people whom training never uses."""
    if choice == "people":
        return people_sources(is_held_out)
    if choice == "recorded":
        return replace(installed_sources(), has_recorded=True)
    return small_sources() if choice == "small" else installed_sources()


def play_song(
    song: Song, seconds: float, rng: np.random.Generator, sounds: SoundSources | None = None
) -> list[Stem]:
    """Return the stems of a song of that length; every choice comes from ``rng``.

    ``sounds`` are the installed ones by default.

    Raises
    ------
    DataError
        If a program (fluidsynth, mma, espeak-ng) or SoundFont is missing, or one fails.
    """
    sounds = sounds or installed_sources()
    fonts = rng.choice(sounds.soundfonts, 3)
    hand = _parts(arrange(song, TRAIN_GROOVES, rng), "")
    machine = _parts(mma_players(song, rng), "mma-") if sounds.has_machine else {}
    jobs: dict[str, list[tuple[str, list[Player]]]] = {}
    stems: list[Stem] = []
    for role, players in [*hand.items(), *machine.items()]:
        is_drums = role.endswith("drums")
        font = str(fonts[0 if role in ("lead", "second") else 1 if role in hand else 2])
        if is_drums and rng.random() < 0.4:
            font = str(rng.choice(sounds.drums))
        if not is_drums and not role.endswith("bass") and rng.random() < SYNTH_SHARE:
            sound = sum_of([random_synth(p, rng, SAMPLE_RATE).sum(1) for p in players], seconds)
            stems.append(Stem(role, sound, _notes(players), "random_synth"))
        else:
            jobs.setdefault(font, []).append((role, players))
    for font, parts in jobs.items():
        played = play_in_turn(parts, font, seconds, sounds.render)
        for (role, players), sound in zip(parts, played, strict=True):
            notes = [] if role.endswith("drums") else _notes(players)
            programs = ",".join(str(p.program) for p in players)
            stems.append(Stem(role, sound, notes, f"{font}:{programs}"))
    if sounds.is_produced:
        stems += _produced(song, _notes(hand.get("pads", ())), seconds, rng, sounds)
    elif song.melody and rng.random() < SUNG_SHARE:
        sung = sing(song.melody, seconds, rng, sounds.voices, vocoder=sounds.vocoder)
        stems.append(Stem("voice", sung, song.melody, "sung"))
    stems = [s for s in stems if np.abs(s.samples).max(initial=0.0) > 1e-4]
    return [Stem(s.role, level(s.samples), s.notes, s.source) for s in stems]


def _produced(
    song: Song,
    chords: list[Note],
    seconds: float,
    rng: np.random.Generator,
    sounds: SoundSources,
) -> list[Stem]:
    """Return the tune sung as on records, often with a choir on the chords behind it."""
    stems = []
    if song.melody:
        sung = sing_lead(song.melody, seconds, rng, sounds.voices, sounds.vocoder)
        stems.append(Stem("voice", sung, song.melody, "produced"))
    if chords and rng.random() < CHOIR_SHARE:
        behind, notes = sing_behind(chords, seconds, rng, sounds.voices)
        stems.append(Stem("choir", behind, notes, "produced"))
    return stems


def play_piece(
    piece: Piece, seconds: float, rng: np.random.Generator, sounds: SoundSources | None = None
) -> list[Stem]:
    """Return one stem for each part of a piece of any corpus, as its programs say or near to it.

    A piece for piano alone is one stem, ``solo``, on a piano drawn from several.
    """
    parts = [part for part in piece.parts if part.notes]
    is_solo = all(part.role == "piano" for part in parts)
    sounds = sounds or installed_sources()
    font = str(rng.choice(sounds.soundfonts))
    stems = []
    for part in [] if is_solo else parts:
        role = STEM_OF_PART.get(part.role, "chords")
        player = Player("drums" if role == "drums" else role, part.program or 0, part.sounding())
        (sound,) = play_in_turn([(role, [player])], font, seconds, sounds.render)
        notes = [] if role == "drums" else player.notes
        stems.append(Stem(role, level(sound), notes, f"{font}:{player.program}"))
    if is_solo:
        notes = sorted(note for part in parts for note in part.sounding())
        sound, source = _solo(notes, seconds, rng, sounds)
        stems = [Stem("solo", level(sound), notes, source)]
    return [stem for stem in stems if np.abs(stem.samples).max(initial=0.0) > 1e-4]


def _solo(
    notes: list[Note], seconds: float, rng: np.random.Generator, sounds: SoundSources
) -> tuple[Array, str]:
    """Return piano notes played on one of the sampled pianos, a modelled or a recorded one."""
    if sounds.has_recorded:
        return recorded_piano(rng, SAMPLE_RATE).play(notes, seconds), "recorded"
    if rng.random() < MODELLED_SHARE:
        return ModelledPiano(rng, SAMPLE_RATE).play(notes, seconds), "modelled"
    font, program = sounds.pianos[rng.integers(len(sounds.pianos))]
    player = Player("solo", program, notes)
    (sound,) = play_in_turn([("solo", [player])], font, seconds, sounds.render)
    return sound, f"{font}:{program}"


def _parts(players: Sequence[Player], prefix: str) -> dict[str, list[Player]]:
    parts: dict[str, list[Player]] = {}
    for player in players:
        parts.setdefault(prefix + STEM_OF_ROLE[player.role], []).append(player)
    return parts


def _notes(players: Sequence[Player]) -> list[Note]:
    return sorted(note for player in players for note in player.notes)


def sum_of(sounds: Sequence[Array], seconds: float) -> Array:
    """Return the sum of mono sounds at ``SAMPLE_RATE``, cut or padded to a length."""
    total = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    for sound in sounds:
        n = min(len(sound), len(total))
        total[:n] += sound[:n]
    return total


def play_in_turn(
    parts: Sequence[tuple[str, list[Player]]],
    font: str,
    seconds: float,
    render: Render | None = None,
) -> list[Array]:
    """Return one mono sound a part; one synthesizer plays them in turn, FluidSynth by default."""
    slot = seconds + GAP_S
    late = [
        Player(p.role, p.program, [_moved(n, k * slot) for n in p.notes], p.gain_db, 0.0)
        for k, (_, players) in enumerate(parts)
        for p in players
    ]
    # A channel for each player, and a MIDI file has 15 beside the drums'.
    sounds = [
        (render or fluidsynth)(players_to_midi(late[k : k + 15]), font, DRY_RATE)
        for k in range(0, len(late), 15)
    ]
    whole = np.zeros(round(len(parts) * slot * DRY_RATE), np.float32)
    for sound in sounds:
        n = min(len(sound), len(whole))
        whole[:n] += (sound[:n, 0] + sound[:n, 1]) / 2
    size = round(slot * DRY_RATE)
    return [
        sum_of([soxr.resample(whole[k * size : (k + 1) * size], DRY_RATE, SAMPLE_RATE)], seconds)
        for k in range(len(parts))
    ]


def _moved(note: Note, seconds: float) -> Note:
    return note._replace(onset=note.onset + seconds, offset=note.offset + seconds)


def level(sound: Array) -> Array:
    """Return a sound scaled so that it has ``LEVEL`` while it sounds, and no peak over ``PEAK``."""
    n = len(sound) // 800 * 800
    blocks = np.square(sound[:n]).reshape(-1, 800).mean(1)
    loud = blocks[blocks > 0.01 * blocks.max(initial=0.0)]
    rms = float(np.sqrt(loud.mean())) if len(loud) else 0.0
    peak = float(np.abs(sound).max(initial=0.0))
    return sound * np.float32(min(LEVEL / max(rms, 1e-9), PEAK / max(peak, 1e-9)))
