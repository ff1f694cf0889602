"""Chooses a model's decoder settings on songs with human covers."""

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from engine.core.notes import Posteriors
from engine.model.pipeline import load_pipeline
from engine.perform.ends import LONGEST
from models.spec import Decoding
from offline_train.evaluation.measures.transcription import (
    Count,
    score_offsets,
    score_onsets,
    sounding,
)
from offline_train.evaluation.songs.rungs import EvaluateConfig, rendered_songs
from offline_train.evaluation.systems import Path_, decode, listen

log = logging.getLogger(__name__)

Array = NDArray[np.float32]

ONSETS = (0.09, 0.12, 0.15, 0.18, 0.21, 0.24, 0.27, 0.3, 0.33, 0.36)
RESTRIKE_RATIOS = (1.0, 1.25, 1.6, 2.0, 2.5, 3.0)
"""A re-strike's threshold, of an onset's: a key that sounds is struck no sooner than another."""
FRAMES_ON = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6)
FRAMES_OFF_RATIO = (0.3, 0.4, 0.5, 0.75)
NEAR_BEST = 0.99
NEAR_BEST_FRAMES = 0.98
ANY_DENSITY = (0.0, np.inf)
SANE_DENSITY = (0.8, 1.25)
"""Notes for each human one, for where few covers decide: onset F1 alone hardly tells them apart."""
SANE_LENGTH = (0.5, 2.0)
"""Median note length, in human ones, within which the best frame F1 is looked for."""


class Search(NamedTuple):
    """What the decoder's thresholds are chosen among, and for.

    ``notes_per_second`` is what the decoder is to follow (``engine.perform.density``), 0 for none;
    ``densities`` bound the notes for each human one; where none are within, the nearest count.
    ``ends`` are thresholds of where notes end, tried with each of the frames'.
    """

    onsets: Sequence[float] = ONSETS
    notes_per_second: float = 0.0
    densities: tuple[float, float] = ANY_DENSITY
    ends: Sequence[float] = (0.0,)


ANY = Search()


class TuningExample(NamedTuple):
    """A model's posteriors of a song, and the human's notes (n, 5)."""

    posteriors: Posteriors
    human: Array


def tune(
    model: str | Path,
    config: EvaluateConfig,
    style: str = "balanced",
    search: Search = ANY,
) -> Decoding:
    """Return the decoding with the best onset F1 on a validation split, then the best frames.

    Onset thresholds by ``tune_onsets``; frame thresholds by ``tune_frames``; the restrike
    threshold, which matters while notes sound, by ``tune_restrike``.
    """
    pipeline = load_pipeline(model)
    frame_s = pipeline.spec.features.frame_s
    path: Path_ = "whole file" if pipeline.spec.kind == "window" else "streamed"  # what is quick
    covers = [
        TuningExample(listen(pipeline, song.samples, style, path), song.notes)
        for song in tqdm(rendered_songs(config), desc="tune", unit="song")
        if song.notes is not None
    ]
    return tune_thresholds(covers, frame_s, search)


def tune_thresholds(
    covers: Sequence[TuningExample], frame_s: float, search: Search = ANY
) -> Decoding:
    """Return the decoding that ``tune`` would, of posteriors that are there already."""
    decoding = tune_onsets(covers, frame_s, search)
    decoding = tune_frames(covers, frame_s, decoding, search.ends)
    return tune_restrike(covers, frame_s, decoding, search.densities)


def total_onsets(covers: Sequence[TuningExample], frame_s: float, decoding: Decoding) -> Count:
    """Return the onsets found by a decoding over all covers."""
    scores = (score_onsets(c.human, decode(c.posteriors, frame_s, decoding)) for c in covers)
    return sum(scores, Count())


def _best_onsets(
    candidates: Sequence[Decoding],
    covers: Sequence[TuningExample],
    frame_s: float,
    densities: tuple[float, float],
) -> Decoding:
    """Return the first of rising thresholds whose onset F1 is the best, or near it."""
    tried = []
    for candidate in candidates:
        score = total_onsets(covers, frame_s, candidate)
        tried.append((candidate, score))
        log.info(
            "onset %.2f, restrike %.3f: F1 %.3f, density %.2f",
            candidate.onset_threshold,
            candidate.restrike_threshold,
            score.f1,
            score.density,
        )
    return _lowest_near_best(_within(tried, densities))


def _within(
    tried: list[tuple[Decoding, Count]], densities: tuple[float, float]
) -> list[tuple[Decoding, Count]]:
    """Return the decodings of these densities; if there are none, that of the nearest to 1."""
    low, high = densities
    inside = [(d, score) for d, score in tried if low <= score.density <= high]
    return inside or [min(tried, key=lambda item: _off_density(item[1]))]


def _lowest_near_best(tried: list[tuple[Decoding, Count]]) -> Decoding:
    """Return the first whose F1 is the best, or near it where a density is followed."""
    best = max(score.f1 for _, score in tried)
    near = NEAR_BEST if tried[0][0].notes_per_second else 1.0
    return next(decoding for decoding, score in tried if score.f1 >= near * best)


def _off_density(score: Count) -> float:
    return abs(float(np.log(max(score.density, 1e-3))))


def tune_restrike(
    covers: Sequence[TuningExample],
    frame_s: float,
    decoding: Decoding,
    densities: tuple[float, float] = ANY_DENSITY,
) -> Decoding:
    """Return the decoding with the restrike threshold of the best onset F1.

    Where a density is followed, which sees to the rest, the lowest that is near the best: on sounds
    that are not in its training a cover model is less sure of everything.
    """
    thresholds = [round(min(r * decoding.onset_threshold, 1.0), 3) for r in RESTRIKE_RATIOS]
    candidates = [dataclasses.replace(decoding, restrike_threshold=t) for t in thresholds]
    return _best_onsets(candidates, covers, frame_s, densities)


def tune_onsets(covers: Sequence[TuningExample], frame_s: float, search: Search = ANY) -> Decoding:
    """Return the decoding with the onset threshold, the same for re-strikes, of the best F1.

    Where a density is followed, the lowest within 1% of it, as for re-strikes. Frames are from 0.3
    to 0.15.
    """
    candidates = [
        Decoding(onset, 0.3, 0.15, onset, notes_per_second=search.notes_per_second)
        for onset in search.onsets
    ]
    return _best_onsets(candidates, covers, frame_s, search.densities)


def tune_frames(
    covers: Sequence[TuningExample],
    frame_s: float,
    decoding: Decoding,
    ends: Sequence[float] = (0.0,),
) -> Decoding:
    """Return the decoding whose notes end best, its frame thresholds near those of the best frames.

    Of the thresholds within 2% of the best frame F1, those with the best F1 of onset and offset:
    frames alone would have every note too long. Where ends are dated back, that is of both, live
    and as a file. Only thresholds are tried whose median note length is half to twice the human's;
    if there are none, the nearest length decides.
    """
    wanted = _median_length([cover.human for cover in covers])
    tried: list[tuple[float, Decoding]] = []
    for candidate in _frame_candidates(decoding):
        notes = [decode(cover.posteriors, frame_s, candidate) for cover in covers]
        length = _median_length(notes)
        if SANE_LENGTH[0] * wanted <= length <= SANE_LENGTH[1] * wanted:
            pairs = zip((cover.human for cover in covers), notes, strict=True)
            f1 = sum((_count_frames(human, played) for human, played in pairs), Count()).f1
            tried.append((f1, candidate))
            _log_frames(candidate, f"frame F1 {f1:.3f}, median note {length:.3f} s")
    if not tried:
        return tune_length(covers, frame_s, decoding)
    best = max(f1 for f1, _ in tried)
    good = [
        dataclasses.replace(candidate, end_threshold=end)
        for f1, candidate in tried
        for end in ends
        if f1 >= NEAR_BEST_FRAMES * best
    ]
    return max(good, key=lambda candidate: _offset_f1(covers, frame_s, candidate))


def _offset_f1(covers: Sequence[TuningExample], frame_s: float, decoding: Decoding) -> float:
    waits = (0, LONGEST) if decoding.end_threshold else (0,)
    scores = [
        score_offsets(c.human, decode(c.posteriors, frame_s, decoding, wait_frames=wait))
        for c in covers
        for wait in waits
    ]
    f1 = sum(scores, Count()).f1
    _log_frames(decoding, f"end {decoding.end_threshold:.1f}: onset and offset F1 {f1:.3f}")
    return f1


def _log_frames(decoding: Decoding, words: str) -> None:
    on, off = decoding.frame_on_threshold, decoding.frame_off_threshold
    log.info("frame %.2f/%.3f: %s", on, off, words)


def tune_length(covers: Sequence[TuningExample], frame_s: float, decoding: Decoding) -> Decoding:
    """Return the decoding with the frame thresholds whose median note length is the human's."""
    wanted = _median_length([cover.human for cover in covers])

    def error(candidate: Decoding) -> float:
        notes = [decode(cover.posteriors, frame_s, candidate) for cover in covers]
        length = _median_length(notes)
        return abs(length - wanted) if length else np.inf

    return min(_frame_candidates(decoding), key=error)


def _frame_candidates(decoding: Decoding) -> list[Decoding]:
    return [
        dataclasses.replace(
            decoding, frame_on_threshold=on, frame_off_threshold=round(on * ratio, 3)
        )
        for on in FRAMES_ON
        for ratio in FRAMES_OFF_RATIO
    ]


def _median_length(covers: Sequence[Array]) -> float:
    """Return seconds; 0 if there are no notes."""
    lengths = np.concatenate([notes[:, 1] - notes[:, 0] for notes in covers])
    return float(np.median(lengths)) if len(lengths) else 0.0


def _count_frames(human: Array, played: Array) -> Count:
    ends = [float(notes[:, 1].max()) for notes in (human, played) if len(notes)]
    n_frames = round(max(ends, default=0.0) / 0.016) + 1
    true, ours = sounding(human, n_frames), sounding(played, n_frames)
    return Count(int(true.sum()), int(ours.sum()), int((true & ours).sum()))
