"""Pieces made of sines, and folders of shards with them, for tests of what trains."""

from pathlib import Path

import numpy as np

from offline_train.data.shards import Piece, append_manifest, write_shard

RATE = 16000


def tones(seconds: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return samples int16 (n,) and their notes (n, 5): one every 0.2 s."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    sound, notes = np.zeros(len(time)), []
    for onset in np.arange(0.1, seconds - 0.15, 0.2):
        pitch = int(rng.integers(50, 70))
        inside = (time >= onset) & (time < onset + 0.15)
        sound += inside * 0.5 * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time)
        notes.append((onset, onset + 0.15, pitch, 90, 0))
    return (sound * 20000).astype(np.int16), np.array(notes, np.float32)


def song(name: str, seconds: float) -> Piece:
    """Return a song with two stems; the cover is what the first of them plays."""
    (lead, notes), (bass, low) = tones(seconds, 1), tones(seconds, 2)
    low[:, 2] -= 12
    low[:, 4] = 1
    score = np.concatenate([notes, low])
    return Piece(
        name,
        {"stems": np.stack([lead, bass], 1), "notes": notes, "score": score},
        {"seconds": seconds, "roles": ["lead", "bass"], "seed": 1, "kind": "song"},
    )


def recording(name: str, seconds: float) -> Piece:
    """Return a recording with a teacher's labels."""
    samples, notes = tones(seconds, 3)
    teacher = np.zeros((len(samples) // 256 + 1, 88, 2), np.uint8)
    for onset, offset, pitch, *_ in notes:
        first, last = round(onset / 0.016), round(offset / 0.016)
        teacher[first, int(pitch) - 21, 0] = 220
        teacher[first:last, int(pitch) - 21, 1] = 200
    facts = {"seconds": seconds, "roles": ["recording"], "kind": "recording"}
    return Piece(name, {"stems": samples[:, None], "teacher": teacher}, facts)


def write_folder(folder: Path, pieces: list[Piece]) -> Path:
    """Write a folder with one shard; return it."""
    folder.mkdir(parents=True)
    append_manifest(folder, write_shard(folder / "shard-00000.tar", pieces))
    return folder
