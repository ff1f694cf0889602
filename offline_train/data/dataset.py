"""Crops with the labels of the streaming network: its cover, and the transcription.

Shapes: n samples at 16 kHz, T frames, F bins, P = 88 pitches. Labels are float32 (T, P): ``onset``
a triangle of two frames to either side of the exact onset (its peak carries the sub-frame
position), ``velocity`` (of 127) around the onset, ``frame`` and ``melody`` where a note sounds.
``transcription_*`` are those of everything that sounds, from the score or from a teacher. Not here:
the crops (``sampler``), making stems (``prepare``, ``recordings``), and features, which are
computed where the network runs.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.spec import MIN_PITCH, N_PITCHES, FeatureSpec
from offline_train.data.sampler import FrameCrops, PieceSampler, draw_crop
from offline_train.data.shards import StoredPiece
from offline_train.data.style import style_vector
from offline_train.synthesis.mixing import audible

Array = NDArray[np.float32]
ONSET_HALF_WIDTH = 2.0  # frames
PEAK_REACH = 4  # frames
LEAST_PEAK = 0.2
STYLE_WINDOW_S = 20.0
MIN_STYLE_NOTES = 12


def rasterize(notes: Array, first_frame: int, n_frames: int, frame_s: float) -> dict[str, Array]:
    """Return labels (n_frames, 88) by name of notes (n, 5) from ``first_frame`` on."""
    labels = {
        name: np.zeros((n_frames, N_PITCHES), np.float32)
        for name in ("onset", "frame", "velocity", "melody")
    }
    on = notes[:, 0] / frame_s - first_frame
    off = notes[:, 1] / frame_s - first_frame
    inside = (off > 0) & (on < n_frames + ONSET_HALF_WIDTH)
    inside &= (notes[:, 2] >= MIN_PITCH) & (notes[:, 2] < MIN_PITCH + N_PITCHES)
    order = np.nonzero(inside)[0]
    for k in order[np.argsort(notes[order, 4], kind="stable")]:  # melody is written last
        pitch = int(notes[k, 2]) - MIN_PITCH
        start, stop = max(round(on[k]), 0), min(max(round(off[k]), round(on[k]) + 1), n_frames)
        labels["frame"][start:stop, pitch] = 1
        labels["melody"][start:stop, pitch] = notes[k, 4]
        rows = np.arange(max(int(np.ceil(on[k] - 2)), 0), min(int(on[k] + 2) + 1, n_frames))
        triangle = np.maximum(0, 1 - np.abs(rows - on[k]) / ONSET_HALF_WIDTH)
        near = triangle > 0
        rows, triangle = rows[near], triangle[near].astype(np.float32)
        labels["onset"][rows, pitch] = np.maximum(labels["onset"][rows, pitch], triangle)
        labels["velocity"][rows, pitch] = notes[k, 3] / 127
        labels["melody"][rows, pitch] = notes[k, 4]
    return labels


def shift_bins(features: Tensor, semitones: Tensor, spec: FeatureSpec) -> Tensor:
    """Return features (B, T, F) moved by semitones (B,); what the shift uncovers is silence."""
    per_semitone = (spec.n_bins - 1) / (12 * np.log2(spec.f_max / spec.f_min))
    moved = torch.full_like(features, float(np.log(spec.log_floor)))
    for row, semitone in enumerate(semitones.tolist()):
        bins = round(semitone * per_semitone)
        if bins >= 0:
            moved[row, :, bins:] = features[row, :, : spec.n_bins - bins]
        else:
            moved[row, :, :bins] = features[row, :, -bins:]
    return moved


@dataclass(eq=False)
class CoverCrops(FrameCrops):
    """Random crops of folders of shards, ``shares`` giving how often each is drawn from.

    Every crop has ``samples`` (n,) for T frames, ``clean`` the same before mastering (of
    recordings, which are not bent), ``shift`` in semitones for the features, ``style`` (24,), the
    labels of the cover and of the transcription, and ``has_cover``, ``has_transcription`` and
    ``has_velocity`` and ``has_melody`` (1 or 0), which say what of them counts. What a score says
    that sounds ends ``let_go`` frames earlier.
    """

    let_go: int = 0

    @cached_property
    def sampler(self) -> PieceSampler:
        """Draws the pieces."""
        return PieceSampler(self.shares)

    def draw(self, rng: np.random.Generator) -> dict[str, Tensor]:
        """Return one more crop, by the choices of ``rng``."""
        piece = self.sampler.draw(rng)
        return self.crop(piece, self.mean_style, rng)

    @cached_property
    def mean_style(self) -> Array:
        """The mean style (24,) of the folders' covers."""
        return mean_style_of(self.sampler.pieces())

    def crop(
        self, piece: StoredPiece, mean_style: Array, rng: np.random.Generator
    ) -> dict[str, Tensor]:
        """Return one random crop of a piece, augmented."""
        spec = self.spec
        has_teacher = "teacher" in piece
        bend = 0 if has_teacher or rng.random() < 0.5 else int(rng.integers(-1, 2))
        # What bends the pitch bends the tempo too, as a tape does; a little of it is detuning.
        ratio = 2 ** (bend / 12 + rng.uniform(-0.3, 0.3) * (not has_teacher) / 12)
        length = spec.win_length + (self.n_frames - 1) * spec.hop_length
        grid = spec.hop_length if has_teacher else 1  # a teacher's labels lie on frames
        crop = draw_crop(piece, length, spec.sample_rate, rng, ratio, grid)
        shift = int(rng.integers(-5, 7)) - bend
        first = (crop.start + ratio * spec.win_length / 2) / spec.sample_rate  # s, first frame

        def labels_of(notes: Array, let_go: int = 0) -> dict[str, Array]:
            moved = notes.copy()
            moved[:, :2] = (notes[:, :2] - first) / ratio
            moved[:, 1] = np.maximum(moved[:, 1] - let_go * spec.frame_s, moved[:, 0])
            moved[:, 2] += bend + shift
            return rasterize(moved, -self.lookahead, self.n_frames, spec.frame_s)

        empty = np.zeros((0, 5), np.float32)
        notes = piece.array("notes") if "notes" in piece else empty
        cover = labels_of(np.array(notes))
        if has_teacher:
            frame = round(first / spec.frame_s) - self.lookahead
            sounding = teacher_labels(piece.array("teacher"), frame, self.n_frames, shift)
        else:
            score = np.array(piece.array("score")) if "score" in piece else empty
            is_audible = audible(crop.gains)[score[:, 4].astype(int)]
            sounding = labels_of(score[is_audible], self.let_go)
        style = self._style(np.array(notes), mean_style, crop.start / spec.sample_rate, rng)
        arrays = {
            "samples": crop.samples,
            "clean": crop.dry,
            "style": style.astype(np.float32),
            **cover,
            **{f"transcription_{name}": sounding[name] for name in ("onset", "frame", "velocity")},
        }
        item = {name: torch.from_numpy(array) for name, array in arrays.items()}
        item["shift"] = torch.tensor(shift)
        item["has_cover"] = torch.tensor(float("notes" in piece))
        item["has_transcription"] = torch.tensor(float(has_teacher or "score" in piece))
        # Of a cover that was transcribed it is not known which notes are the tune.
        item["has_melody"] = torch.tensor(float(bool(np.any(notes[:, 4] > 0))))
        item["has_velocity"] = torch.tensor(float("score" in piece))
        return item

    def _style(
        self, notes: Array, mean_style: Array, start: float, rng: np.random.Generator
    ) -> Array:
        """Return the style of the surroundings, of the piece, or of the corpus.

        The nearer the notes it is taken from, the more it tells, and the more it is listened to.
        """
        which = rng.random()
        if which < 0.3 or not len(notes):
            return mean_style
        if which < 0.65:
            return style_vector(notes)
        middle = start + self.n_frames * self.spec.frame_s / 2
        near = notes[np.abs(notes[:, 0] - middle) < STYLE_WINDOW_S / 2]
        return style_vector(near if len(near) >= MIN_STYLE_NOTES else notes)


def teacher_labels(
    teacher: NDArray[np.uint8], first_frame: int, n_frames: int, semitones: int
) -> dict[str, Array]:
    """Return a teacher's posteriors uint8 (T, 88, 2) as labels from ``first_frame`` on."""
    margin = PEAK_REACH + int(ONSET_HALF_WIDTH)
    rows = np.arange(first_frame - margin, first_frame + n_frames + margin)
    inside = (rows >= 0) & (rows < len(teacher))
    source = np.zeros((len(rows), N_PITCHES, 2), np.float32)
    source[inside] = np.asarray(teacher[rows[inside]], np.float32) / 255
    source[..., 0] = peaks(source[..., 0])
    labels = np.zeros((n_frames, N_PITCHES, 2), np.float32)
    low, high = max(semitones, 0), N_PITCHES + min(semitones, 0)
    labels[:, low:high] = source[margin:-margin, low - semitones : high - semitones]
    velocity = np.zeros((n_frames, N_PITCHES), np.float32)
    return {"onset": labels[..., 0], "frame": labels[..., 1], "velocity": velocity}


def peaks(onset: Array) -> Array:
    """Return onset posteriors (T, P) as triangles as high as their peaks, like our own labels.

    A teacher's onsets last as long as it is in doubt; a peak is the first of the greatest within
    ``PEAK_REACH`` frames to either side.
    """
    padded = np.pad(onset, ((PEAK_REACH, PEAK_REACH), (0, 0)))
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * PEAK_REACH + 1, 0)
    before = around[..., :PEAK_REACH].max(-1)
    after = around[..., PEAK_REACH + 1 :].max(-1)
    peak = np.where((onset > before) & (onset >= after) & (onset > LEAST_PEAK), onset, 0)
    near = np.pad(peak, ((1, 1), (0, 0)))
    side = 1 - 1 / ONSET_HALF_WIDTH
    shape: Array = np.maximum(peak, side * np.maximum(near[:-2], near[2:]))
    return shape.astype(np.float32)


def mean_style_of(pieces: list[StoredPiece]) -> Array:
    """Return the mean style of the covers of pieces; zeros where there is none."""
    notes = [np.array(piece.array("notes")) for piece in pieces if "notes" in piece]
    styles = [style_vector(n) for n in notes if len(n)]
    return np.asarray(np.mean(styles, axis=0) if styles else np.zeros(24), np.float32)
