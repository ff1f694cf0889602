"""Works through a folder of songs and covers: aligned MIDI, shards to train on, and a report.

Written below ``out``: ``midi/NAME.mid`` on the song's time axis, ``shards/NAME.tar`` with a
manifest, ``pairs/NAME.json`` with every figure, ``report.md`` and ``report.json``. A pair whose
files and settings are unchanged is not done again. Not here: the folder's layout (``folder``).
"""

import dataclasses
import json
import logging
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray
from tqdm import tqdm

from engine.errors import DataError, DeviceError
from engine.midi_file import to_midi_file
from engine.notes import NoteEvent
from offline_train.pairs.align import Alignment, align
from offline_train.pairs.folder import Pair, find_pairs
from offline_train.pairs.judge import Bars, Figures, figures, judge, judge_lengths
from offline_train.pairs.sound import (
    SAMPLE_RATE,
    Recording,
    measure,
    read_mono,
    require_synctoolbox,
)
from offline_train.pairs.transcribe import Transcriber, open_transcriber, warp_notes
from offline_train.shards import Piece, ShardLine, is_whole, write_manifest, write_shard

log = logging.getLogger(__name__)

Array = NDArray[np.float32]
SHARD_RATE = 16000
VERSION = 1  # of what makes a pair's result: a change does every pair again


@dataclass(frozen=True, slots=True)
class PairsConfig:
    """Which pairs, where to, and how they are judged.

    ``transcriber`` is ``basic-pitch``, or the name or path of a model of ours.
    """

    folder: Path
    out: Path
    transcriber: str = "basic-pitch"
    style: str = "balanced"  # of a model of ours
    workers: int = 1
    bars: Bars = field(default_factory=Bars)


@dataclass(frozen=True, slots=True)
class PairResult:
    """What became of a pair: ``accepted``, ``rejected`` or ``broken`` (a file cannot be read)."""

    name: str
    song: str
    cover: str
    status: str
    reason: str  # one line; "" if accepted
    fingerprint: list[Any]
    notes: int = 0
    figures: Figures | None = None
    shard: dict[str, Any] | None = None  # its line in the manifest

    def line(self) -> str:
        """Return the result in one line."""
        if self.status != "accepted" or self.figures is None:
            return f"{self.name}: {self.status}: {self.reason}"
        f = self.figures
        moved = f", {f.transposition:+d} semitones undone" if f.transposition else ""
        return (
            f"{self.name}: accepted: {self.notes} notes on {f.start:.0f} s to {f.end:.0f} s"
            f"{moved}, onsets {f.onset_agreement:.2f}, chroma {f.chroma_agreement:.2f}"
        )


def align_pair(
    song: Recording, cover: Recording, bars: Bars
) -> tuple[Alignment | None, Figures | None, str | None]:
    """Return (alignment, figures, why the pair is rejected); the reason is None if it is good."""
    if reason := judge_lengths(song, cover, bars):
        return None, None, reason
    alignment = align(song, cover)
    if alignment is None:
        return None, None, "alignment: no path with a tempo between half and double is there"
    measured = figures(song, cover, alignment)
    return alignment, measured, judge(measured, bars)


def _fingerprint(config: PairsConfig, pair: Pair) -> list[Any]:
    """Return what a result depends on, as JSON gives it back."""
    files = []
    for path in (pair.song, pair.cover):
        facts = path.stat() if path.is_file() else None
        files += [str(path), facts.st_size if facts else -1, facts.st_mtime_ns if facts else -1]
    bars = list(dataclasses.astuple(config.bars))
    return [VERSION, config.transcriber, config.style, *bars, *files]


def read_result(path: Path) -> PairResult | None:
    """Return a stored result; None where there is none or it was cut short."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["figures"] is not None:
            values["figures"] = Figures(**values["figures"])
        return PairResult(**values)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_done(config: PairsConfig, pair: Pair) -> bool:
    result = read_result(config.out / "pairs" / f"{pair.name}.json")
    if result is None or result.fingerprint != _fingerprint(config, pair):
        return False
    if result.shard is None:
        return True
    midi = config.out / "midi" / f"{pair.name}.mid"
    return midi.is_file() and is_whole(config.out / "shards", ShardLine(**result.shard))


def build_song(config: PairsConfig, pairs: list[Pair]) -> list[PairResult]:
    """Do the covers of one song, whose features are computed once; store each result at once."""
    transcribe = open_transcriber(config.transcriber, config.style)
    results = []
    song: tuple[Array, Recording] | None = None
    for pair in pairs:
        fingerprint = _fingerprint(config, pair)
        named = (pair.name, str(pair.song), str(pair.cover))
        try:
            song = song or _recording(pair.song)
            cover = _recording(pair.cover)
        except (DataError, DeviceError) as error:
            result = PairResult(*named, "broken", str(error), fingerprint)
        else:
            result = _build_pair(config, pair, song, cover, transcribe, fingerprint)
        if result.shard is None:
            (config.out / "midi" / f"{pair.name}.mid").unlink(missing_ok=True)
        _write_whole(
            config.out / "pairs" / f"{pair.name}.json",
            json.dumps(dataclasses.asdict(result), indent=1),
        )
        results.append(result)
    return results


def _recording(path: Path) -> tuple[Array, Recording]:
    samples = read_mono(path)
    try:
        return samples, measure(samples)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _build_pair(
    config: PairsConfig,
    pair: Pair,
    song: tuple[Array, Recording],
    cover: tuple[Array, Recording],
    transcribe: Transcriber,
    fingerprint: list[Any],
) -> PairResult:
    named = (pair.name, str(pair.song), str(pair.cover))
    alignment, measured, reason = align_pair(song[1], cover[1], config.bars)
    notes = np.zeros((0, 5), np.float32)
    if alignment is not None and measured is not None and reason is None:
        notes = warp_notes(transcribe(cover[0], SAMPLE_RATE), alignment)
        rate = len(notes) / (measured.end - measured.start)
        if rate < config.bars.notes_a_second:
            reason = (
                f"transcription: {rate:.2f} notes a second (at least "
                f"{config.bars.notes_a_second:g}): too quiet, too noisy, or no piano"
            )
    if reason is not None or measured is None:
        return PairResult(
            *named, "rejected", reason or "", fingerprint, len(notes), figures=measured
        )
    shard = _write_pair(config.out, pair, song[0], notes, measured)
    return PairResult(*named, "accepted", "", fingerprint, len(notes), measured, shard)


def _write_pair(
    out: Path, pair: Pair, song: Array, notes: Array, measured: Figures
) -> dict[str, Any]:
    """Write MIDI on the song's axis, and the part of the song that is covered as a shard."""
    events = [NoteEvent(float(n[1]), int(n[2]), 0, _part(n)) for n in notes]
    events += [
        NoteEvent(float(n[0]), int(n[2]), int(np.clip(n[3], 1, 127)), _part(n)) for n in notes
    ]
    partial = out / "midi" / f".{pair.name}.partial"
    to_midi_file(events).save(partial)
    partial.replace(out / "midi" / f"{pair.name}.mid")
    start, end = max(measured.start, 0.0), measured.end
    covered = song[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
    heard = np.clip(soxr.resample(covered, SAMPLE_RATE, SHARD_RATE), -1, 1)
    moved = notes - np.array([start, start, 0, 0, 0], np.float32)
    piece = Piece(
        pair.name,
        {"stems": np.round(heard * 32767).astype(np.int16)[:, None], "notes": moved},
        {
            "kind": "pair",
            "song": pair.song.name,
            "cover": pair.cover.name,
            "start": start,
            "seconds": len(heard) / SHARD_RATE,
            "sample_rate": SHARD_RATE,
            "roles": ["recording"],
            "sources": [pair.song.name],
        },
    )
    return dataclasses.asdict(write_shard(out / "shards" / f"{pair.name}.tar", [piece]))


def _part(note: NDArray[np.float32]) -> Any:
    return "melody" if note[4] > 0.5 else "accompaniment"


def _write_whole(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def build(config: PairsConfig) -> list[PairResult]:
    """Do every pair that is not done yet, write the report, return all results by name.

    Raises
    ------
    DataError, ModelError, ConfigError
        If there are no pairs, synctoolbox or the transcriber is missing, or ``out`` is no folder.
    """
    pairs = find_pairs(config.folder)
    require_synctoolbox()
    open_transcriber(config.transcriber, config.style)
    try:
        for name in ("midi", "shards", "pairs"):
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
    write_manifest(
        config.out / "shards", [ShardLine(**r.shard) for r in there if r.shard is not None]
    )
    write_report(config.out, there)
    return there


def _each(config: PairsConfig, songs: list[list[Pair]]) -> Iterator[list[PairResult]]:
    """Yield the results of each song, by worker processes where there are several."""
    if config.workers <= 1:
        yield from (build_song(config, pairs) for pairs in songs)
        return
    with ProcessPoolExecutor(config.workers) as pool:
        jobs = [pool.submit(build_song, config, pairs) for pairs in songs]
        for job in as_completed(jobs):
            yield job.result()


def write_report(out: Path, results: list[PairResult]) -> None:
    """Write ``report.json`` and ``report.md``: counts, reasons, and a line for each pair."""
    counts = Counter(result.status for result in results)
    reasons = Counter(r.reason.split(":")[0] for r in results if r.status == "rejected")
    seconds = sum(r.figures.end - r.figures.start for r in results if r.shard and r.figures)
    facts = {
        "pairs": len(results),
        **{status: counts[status] for status in ("accepted", "rejected", "broken")},
        "accepted_minutes": round(seconds / 60, 1),
        "rejected_for": dict(reasons.most_common()),
        "each": [dataclasses.asdict(result) for result in results],
    }
    _write_whole(out / "report.json", json.dumps(facts, indent=1))
    lines = [
        "# Pairs",
        "",
        f"{len(results)} pairs: {counts['accepted']} accepted ({seconds / 60:.1f} min), "
        f"{counts['rejected']} rejected, {counts['broken']} broken.",
        "",
        "| rejected for | pairs |",
        "|---|---|",
        *(f"| {reason} | {count} |" for reason, count in reasons.most_common()),
        "",
        *(f"- {result.line()}" for result in results),
    ]
    _write_whole(out / "report.md", "\n".join(lines) + "\n")
