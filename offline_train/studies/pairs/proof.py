"""Measures the builder on rendered pairs.

``livecover-train prove-pairs --data DATA``

POP909 test songs are played by a band; their human cover is played by a piano whose time is bent
by a known, smooth, random, rising function (``random_warp``), with up to 3 s of silence before it
and a random master of its own. Then: how far are the true notes from their places on the song
after alignment, how far those that a transcriber finds, and which right and wrong pairs (the cover
of the next song) are accepted.
"""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mir_eval
import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from tqdm import tqdm

from offline_train.corpora import read_song, split_ids
from offline_train.studies.pairs.acceptance import Limits
from offline_train.studies.pairs.build import align_pair
from offline_train.studies.pairs.sound import SAMPLE_RATE, Recording, measure, read_mono
from offline_train.studies.pairs.transcribe import open_transcriber
from offline_train.synthesis.band_renders import cut, render_band
from offline_train.synthesis.bands.band import Player
from offline_train.synthesis.render import RENDER_RATE, fluidsynth, master, mix, players_to_midi

Double = NDArray[np.float64]

TOLERANCE_S = 0.05
BAR = 0.95  # share of notes within the tolerance
GRID_S = 0.05
PIANO_SOUNDFONT = "FluidR3_GM.sf2"  # the band plays another one
# Of the logarithm of the tempo: (standard deviation, seconds of the Gaussian that smooths it).
DRIFT, RUBATO, OVERALL = (0.07, 8.0), (0.035, 1.5), 0.07
GREATEST_CHANGE = 0.15


WRONG_COVERS = 3  # of other songs, that each song is tried with


@dataclass(frozen=True, slots=True)
class Proof:
    """A rendered pair: files, and the cover's notes (n, 5) on the song and as played."""

    song_id: str
    song: Path
    cover: Path
    true: NDArray[np.float32]
    played: NDArray[np.float32]


def random_warp(seconds: float, rng: np.random.Generator) -> tuple[Double, Double]:
    """Return (song times, cover times) of a smooth rising function, tempo within 15% of the song's.

    Slow drift and rubato are Gaussian processes of log tempo, about a random overall tempo.
    """
    times = np.arange(0, seconds + 30, GRID_S)
    tempo = np.full(len(times), rng.uniform(-OVERALL, OVERALL))
    for deviation, smoothing in (DRIFT, RUBATO):
        noise = gaussian_filter1d(rng.standard_normal(len(times)), smoothing / GRID_S, mode="wrap")
        tempo += deviation * noise / max(float(noise.std()), 1e-9)
    tempo = np.clip(tempo, np.log(1 - GREATEST_CHANGE), np.log(1 + GREATEST_CHANGE))
    return times, np.concatenate([[0.0], np.cumsum(np.exp(tempo[:-1]) * GRID_S)])


def render_proof(data: Path, cache: Path, song_id: str, seconds: float) -> Proof:
    """Return a pair, rendered or from the cache; the cover's notes on the song are beside it."""
    stem = cache / f"{song_id}-{seconds:g}"
    song_path, cover_path = stem.with_suffix(".song.flac"), stem.with_suffix(".cover.flac")
    notes_path = stem.with_suffix(".npz")
    if not notes_path.is_file():
        rng = np.random.default_rng(zlib.crc32(song_id.encode()))
        song = read_song(data / "pop909" / song_id)
        song = cut(song, float(rng.uniform(0, max(song.duration - seconds, 0.0))), seconds)
        band, _ = render_band(song, rng, in_training=False)
        times, mapped = random_warp(seconds, rng)
        lead = float(rng.uniform(0, 3))
        true = np.array([(*note, is_melody) for note, is_melody in song.cover()], np.float32)
        played = true.copy()
        played[:, :2] = np.interp(true[:, :2], times, mapped) + lead
        piano = [
            note._replace(onset=float(row[0]), offset=float(row[1]))
            for (note, _), row in zip(song.cover(), played, strict=True)
        ]
        midi = players_to_midi([Player("comp", 0, piano)])
        cover = master(mix([fluidsynth(midi, PIANO_SOUNDFONT)]), rng)
        notes = [note for note, _ in song.cover()]
        players_to_midi([Player("comp", 0, notes)]).save(song_path.with_suffix(".mid"))
        for path, audio in ((song_path, band), (cover_path, cover)):
            soundfile.write(path, np.clip(audio, -1, 1), RENDER_RATE, format="FLAC")
        np.savez(notes_path, true=true, played=played)
    with np.load(notes_path) as notes:
        return Proof(song_id, song_path, cover_path, notes["true"], notes["played"])


def transcription_errors(proof: Proof, found: NDArray[np.float32], mapped: Double) -> Double:
    """Return the onset errors on the song (m,) of the notes that a transcriber found rightly.

    ``found`` (k, 5) are its notes in the cover's time, ``mapped`` (k,) their onsets on the song.
    Rightly: the same pitch within 50 ms of a note as played.
    """

    def parts(notes: NDArray[np.float32]) -> tuple[Double, Double]:
        ends = np.maximum(notes[:, 1], notes[:, 0] + 0.01)
        hertz = 440.0 * 2 ** ((notes[:, 2] - 69.0) / 12)
        return np.stack([notes[:, 0], ends], 1).astype(np.float64), hertz.astype(np.float64)

    matches = mir_eval.transcription.match_notes(
        *parts(proof.played), *parts(found), onset_tolerance=TOLERANCE_S, offset_ratio=None
    )
    if not matches:
        return np.zeros(0)
    reference, estimate = np.array(matches).T
    return np.asarray(mapped[estimate] - proof.true[reference, 0], np.float64)


def within(errors: Double) -> float:
    """Return the share of errors within the tolerance; 0 of none."""
    return float(np.mean(np.abs(errors) <= TOLERANCE_S)) if len(errors) else 0.0


def prove(
    proofs: Sequence[Proof], transcriber: str | None = "basic-pitch"
) -> tuple[str, dict[str, float]]:
    """Return (a table in Markdown, the figures) of rendered pairs; None leaves transcribing out."""
    recordings: list[tuple[Recording, Recording]] = []
    lines = [
        "| song | true notes within 50 ms | median error, ms | transcribed ones | verdict | why |",
        "|---|---|---|---|---|---|",
    ]
    errors, transcribed, right = [], [], 0
    agreements: dict[str, list[float]] = {"right": [], "wrong": []}
    transcribe = open_transcriber(transcriber) if transcriber else None
    for proof in tqdm(proofs, desc="right pairs", unit="pair"):
        samples = read_mono(proof.cover)
        pair = measure(read_mono(proof.song)), measure(samples)
        recordings.append(pair)
        alignment, found_figures, reason = align_pair(*pair, Limits())
        agreements["right"].append(found_figures.onset_agreement if found_figures else 0.0)
        right += reason is None
        error = np.full(len(proof.true), np.inf)
        notes_error = np.zeros(0)
        if alignment is not None:
            error = alignment.to_song(proof.played[:, 0].astype(np.float64)) - proof.true[:, 0]
            if transcribe is not None:
                found = transcribe(samples, SAMPLE_RATE)
                mapped = alignment.to_song(found[:, 0].astype(np.float64))
                notes_error = transcription_errors(proof, found, mapped)
        errors.append(error)
        transcribed.append(notes_error)
        lines.append(
            f"| {proof.song_id} | {within(error):.3f} | {1000 * np.median(error):.0f} | "
            f"{within(notes_error):.3f} ({len(notes_error)}) | "
            f"{'accepted' if reason is None else 'rejected'} | {reason or ''} |"
        )
    wrong = 0
    n = len(proofs)
    others = [
        (k, (k + step) % n) for k in range(n) for step in range(1, min(WRONG_COVERS, n - 1) + 1)
    ]
    for k, other in tqdm(others, desc="wrong pairs", unit="pair"):
        _, found_figures, reason = align_pair(recordings[k][0], recordings[other][1], Limits())
        agreements["wrong"].append(found_figures.onset_agreement if found_figures else 0.0)
        wrong += reason is None
        names = f"{proofs[k].song_id} with the cover of {proofs[other].song_id}"
        verdict = "accepted" if reason is None else "rejected"
        lines.append(f"| {names} | | | | {verdict} | {reason or ''} |")
    facts = {
        "pairs": float(len(proofs)),
        "true notes within 50 ms": within(np.concatenate(errors)),
        "right pairs accepted": right / len(proofs),
        "wrong pairs": float(len(others)),
        "wrong pairs accepted": wrong / max(len(others), 1),
        "least onset agreement of a right pair": min(agreements["right"]),
        "greatest onset agreement of a wrong pair": max(agreements["wrong"], default=0.0),
    }
    if transcribe is not None:
        facts["transcribed notes within 50 ms"] = within(np.concatenate(transcribed))
    lines += ["", *(f"- {name}: {value:.3f}" for name, value in facts.items())]
    return "\n".join(lines), facts


def prove_songs(
    data: Path, cache: Path, n_songs: int, seconds: float, transcriber: str | None
) -> tuple[str, dict[str, float]]:
    """Return the table and the facts of the first songs of the test split, rendered or cached."""
    cache.mkdir(parents=True, exist_ok=True)
    ids = split_ids(data, "test")[:n_songs]
    proofs = [
        render_proof(data, cache, song_id, seconds)
        for song_id in tqdm(ids, desc="render", unit="pair")
    ]
    return prove(proofs, transcriber)


def holds(facts: dict[str, float]) -> bool:
    """Return whether as many notes are in their places as must be."""
    return all(share >= BAR for name, share in facts.items() if name.endswith("within 50 ms"))


def save(facts: dict[str, float], path: Path) -> None:
    """Write the facts as JSON."""
    path.write_text(json.dumps(facts, indent=1))
