"""Works through a folder of songs and covers: aligned MIDI, shards to train on, and a report.

Written below ``out``: ``midi/NAME.mid`` on the song's time axis, ``shards/NAME.tar`` with a
manifest, ``train/`` and ``valid/`` with manifests of the songs to learn from and of those kept
apart, ``pairs/NAME.json`` with every figure, ``report.md`` and ``report.json``. A pair whose files
and settings are unchanged is not done again. Not here: the folder's layout (``folder``), and what
is kept of results (``results``).
"""

import dataclasses
import json
import logging
from collections.abc import Iterator
from concurrent.futures import as_completed
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray
from tqdm import tqdm

from engine.core.errors import DataError, DeviceError
from engine.core.notes import NoteEvent
from engine.midi.file import to_midi_file
from engine.system.whole_file import written_whole
from engine.system.workers import worker_pool
from offline_train.data.shards import Piece, ShardLine, is_whole, write_shard
from offline_train.studies.pairs.acceptance import (
    Figures,
    Limits,
    check_figures,
    check_lengths,
    figures,
)
from offline_train.studies.pairs.align import Alignment, align
from offline_train.studies.pairs.cover import Cover, has_notes, read_cover
from offline_train.studies.pairs.folder import Pair, find_pairs
from offline_train.studies.pairs.results import (
    SHARDS,
    PairResult,
    check_parts,
    read_result,
    write_parts,
    write_report,
    write_whole,
)
from offline_train.studies.pairs.sound import (
    SAMPLE_RATE,
    Recording,
    measure,
    read_mono,
    require_synctoolbox,
)
from offline_train.studies.pairs.transcribe import open_transcriber, warp_notes

log = logging.getLogger(__name__)

Array = NDArray[np.float32]
SHARD_RATE = 16000
VERSION = 1  # of what makes a pair's result: a change does every pair again


@dataclass(frozen=True, slots=True)
class PairsConfig:
    """Which pairs, where to, and how they are accepted.

    ``transcriber`` is ``basic-pitch``, or the name or path of a model of ours. ``accept`` are names
    of pairs that are taken though the limits reject them, where there is an alignment at all.
    """

    folder: Path
    out: Path
    transcriber: str = "basic-pitch"
    style: str = "balanced"  # of a model of ours
    workers: int = 1
    accept: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)


def align_pair(
    song: Recording, cover: Recording, limits: Limits
) -> tuple[Alignment | None, Figures | None, str | None]:
    """Return (alignment, figures, why the pair is rejected); the reason is None if it is good."""
    if reason := check_lengths(song, cover, limits):
        return None, None, reason
    alignment = align(song, cover)
    if alignment is None:
        return None, None, "alignment: no path with a tempo between half and double is there"
    measured = figures(song, cover, alignment)
    return alignment, measured, check_figures(measured, limits)


def _fingerprint(config: PairsConfig, pair: Pair) -> list[Any]:
    """Return what a result depends on, as JSON gives it back."""
    files = []
    for path in (pair.song, pair.cover):
        facts = path.stat() if path.is_file() else None
        files += [str(path), facts.st_size if facts else -1, facts.st_mtime_ns if facts else -1]
    limits = list(dataclasses.astuple(config.limits))
    vouched = ["accept"] if pair.name in config.accept else []
    heard_by = [] if has_notes(pair.cover) else [config.transcriber, config.style]
    return [VERSION, *heard_by, *limits, *files, *vouched]


def _is_done(config: PairsConfig, pair: Pair) -> bool:
    result = read_result(config.out / "pairs" / f"{pair.name}.json")
    if result is None or result.fingerprint != _fingerprint(config, pair):
        return False
    if result.shard is None:
        return True
    midi = config.out / "midi" / f"{pair.name}.mid"
    return midi.is_file() and is_whole(config.out / SHARDS, ShardLine(**result.shard))


def build_song(config: PairsConfig, pairs: list[Pair]) -> list[PairResult]:
    """Do the covers of one song, whose features are computed once; store each result at once."""
    results = []
    song: tuple[Cover, Recording] | None = None
    for pair in pairs:
        fingerprint = _fingerprint(config, pair)
        named = (pair.name, str(pair.song), str(pair.cover))
        try:
            song = song or _recording(pair.song, Cover(read_mono(pair.song)))
            cover = _recording(pair.cover, read_cover(pair.cover))
        except (DataError, DeviceError) as error:
            result = PairResult(*named, "broken", str(error), fingerprint)
        else:
            result = _build_pair(config, pair, song, cover, fingerprint)
        if result.shard is None:
            (config.out / "midi" / f"{pair.name}.mid").unlink(missing_ok=True)
        write_whole(
            config.out / "pairs" / f"{pair.name}.json",
            json.dumps(dataclasses.asdict(result), indent=1),
        )
        results.append(result)
    return results


def _recording(path: Path, read: Cover) -> tuple[Cover, Recording]:
    try:
        return read, measure(read.samples)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _build_pair(
    config: PairsConfig,
    pair: Pair,
    song: tuple[Cover, Recording],
    cover: tuple[Cover, Recording],
    fingerprint: list[Any],
) -> PairResult:
    named = (pair.name, str(pair.song), str(pair.cover))
    alignment, measured, reason = align_pair(song[1], cover[1], config.limits)
    notes = np.zeros((0, 5), np.float32)
    is_vouched_for = pair.name in config.accept
    if alignment is not None and measured is not None and (reason is None or is_vouched_for):
        reason = None
        notes = warp_notes(_notes_of(cover[0], config), alignment)
        rate = len(notes) / (measured.end - measured.start)
        if rate < config.limits.notes_a_second:
            reason = (
                f"transcription: {rate:.2f} notes a second (at least "
                f"{config.limits.notes_a_second:g}): too quiet, too noisy, or no piano"
            )
    if reason is not None or measured is None:
        return PairResult(
            *named, "rejected", reason or "", fingerprint, len(notes), figures=measured
        )
    shard = _write_pair(config.out, pair, song[0].samples, notes, measured)
    return PairResult(*named, "accepted", "", fingerprint, len(notes), measured, shard)


def _notes_of(cover: Cover, config: PairsConfig) -> Array:
    if cover.notes is not None:
        return cover.notes
    return open_transcriber(config.transcriber, config.style)(cover.samples, SAMPLE_RATE)


def _write_pair(
    out: Path, pair: Pair, song: Array, notes: Array, measured: Figures
) -> dict[str, Any]:
    """Write MIDI on the song's axis, and the part of the song that is covered as a shard."""
    events = [NoteEvent(float(n[1]), int(n[2]), 0, _part(n)) for n in notes]
    events += [
        NoteEvent(float(n[0]), int(n[2]), int(np.clip(n[3], 1, 127)), _part(n)) for n in notes
    ]
    with written_whole(out / "midi" / f"{pair.name}.mid") as file:
        to_midi_file(events).save(file=file)
    start, end = max(measured.start, 0.0), measured.end
    covered = song[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
    resampled = np.clip(soxr.resample(covered, SAMPLE_RATE, SHARD_RATE), -1, 1)
    moved = notes - np.array([start, start, 0, 0, 0], np.float32)
    piece = Piece(
        pair.name,
        {"stems": np.round(resampled * 32767).astype(np.int16)[:, None], "notes": moved},
        {
            "kind": "pair",
            "song": pair.song.name,
            "cover": pair.cover.name,
            "start": start,
            "seconds": len(resampled) / SHARD_RATE,
            "sample_rate": SHARD_RATE,
            "roles": ["recording"],
            "sources": [pair.song.name],
        },
    )
    return dataclasses.asdict(write_shard(out / SHARDS / f"{pair.name}.tar", [piece]))


def _part(note: NDArray[np.float32]) -> Any:
    return "melody" if note[4] > 0.5 else "accompaniment"


def build(config: PairsConfig) -> tuple[list[PairResult], list[str]]:
    """Do every pair that is not done yet; return (all results by name, the songs kept apart).

    Raises
    ------
    DataError, ModelError, ConfigError
        If there are no pairs, synctoolbox or the transcriber is missing, or ``out`` is no folder
        or one that holds shards of another command.
    """
    pairs = find_pairs(config.folder)
    for name in config.accept:
        if name not in {pair.name for pair in pairs}:
            names = ", ".join(pair.name for pair in pairs)
            raise DataError(f"expected names of pairs to accept, got {name}; there are {names}")
    check_parts(config.out)
    require_synctoolbox()
    if not all(has_notes(pair.cover) for pair in pairs):
        open_transcriber(config.transcriber, config.style)
    try:
        for name in ("midi", SHARDS, "pairs"):
            (config.out / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{config.out}: expected a folder to write to ({error})") from error
    missing = [pair for pair in pairs if not _is_done(config, pair)]
    log.info("%d of %d pairs are done already", len(pairs) - len(missing), len(pairs))
    songs = [list(group) for _, group in groupby(missing, lambda pair: pair.song)]
    with tqdm(total=len(missing), desc="pairs", unit="pair") as bar:
        for results in _each(config, songs):
            for result in results:
                log.info("%s", result.line())
            bar.update(len(results))
    stored = [read_result(config.out / "pairs" / f"{pair.name}.json") for pair in pairs]
    there = [result for result in stored if result is not None]
    apart = write_parts(config.out, pairs, there)
    write_report(config.out, there, apart)
    return there, apart


def _each(config: PairsConfig, songs: list[list[Pair]]) -> Iterator[list[PairResult]]:
    """Yield the results of each song, by worker processes where there are several."""
    if config.workers <= 1:
        yield from (build_song(config, pairs) for pairs in songs)
        return
    with worker_pool(config.workers) as pool:
        jobs = [pool.submit(build_song, config, pairs) for pairs in songs]
        for job in as_completed(jobs):
            yield job.result()
