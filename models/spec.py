"""The specification of a model's inputs and outputs, stored inside the model's file.

No torch here: the live engine reads a spec from ONNX metadata and repeats none of its numbers.
Not here: the networks (beside this file) and the code that runs them
(``engine.model``).
"""

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, Literal, Self

STYLE_DIM = 24
N_PITCHES = 88
MIN_PITCH = 21  # A0

METADATA_KEY = "livecover"
"""The ONNX metadata property under which the JSON of a spec is stored."""


def _from_json(cls: type[Any], text: str) -> Any:
    """Return ``cls(**json)``; raise ValueError naming missing or unknown keys."""
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{cls.__name__}: metadata is not JSON ({error})") from error
    if not isinstance(values, dict):
        raise ValueError(f"{cls.__name__}: metadata must be a JSON object")
    known = {f.name: f for f in dataclasses.fields(cls)}
    unknown = sorted(set(values) - set(known))
    missing = sorted(
        name
        for name, f in known.items()
        if name not in values
        and f.default is dataclasses.MISSING
        and f.default_factory is dataclasses.MISSING
    )
    if unknown or missing:
        raise ValueError(f"{cls.__name__}: unknown keys {unknown}, missing keys {missing}")
    return cls(**values)


@dataclass(frozen=True, slots=True)
class Spec:
    """A value that an ONNX file carries as JSON in its metadata."""

    def to_metadata(self) -> str:
        """Return the spec as one line of JSON."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_metadata(cls, text: str) -> Self:
        """Return the spec from its JSON. Raises ValueError on anything else."""
        spec: Self = _from_json(cls, text)
        return spec


@dataclass(frozen=True, slots=True)
class FeatureSpec(Spec):
    """A front end: mono samples in, one feature column every ``hop_length`` samples out.

    ``name`` is also the file name of the exported graph (``NAME.frontend.onnx``). Frame k is
    centred on sample ``k * hop_length``: the stream starts with ``win_length // 2`` zeros.
    """

    name: str
    layer: str  # the nnAudio class that was exported, e.g. "STFT" or "MelSpectrogram"
    sample_rate: int
    n_fft: int
    win_length: int
    hop_length: int
    n_bins: int
    f_min: float  # hertz, centre of the lowest bin
    f_max: float  # hertz, centre of the highest bin
    log_floor: float  # features are log(magnitude ** power + log_floor)
    power: float = 1.0  # MelSpectrogram only: 2 sums energies, 1 magnitudes
    is_htk: bool = False  # MelSpectrogram only: HTK's mel scale instead of Slaney's

    @property
    def frame_s(self) -> float:
        """Seconds from one frame to the next."""
        return self.hop_length / self.sample_rate

    @property
    def half_window_s(self) -> float:
        """Seconds of audio after a frame's centre that the frame needs."""
        return self.win_length / 2 / self.sample_rate


@dataclass(frozen=True, slots=True)
class Decoding:
    """Decoder settings that were tuned with a model and travel with it; thresholds are 0 to 1."""

    onset_threshold: float = 0.5
    frame_on_threshold: float = 0.5
    frame_off_threshold: float = 0.3
    restrike_threshold: float = 0.5  # onset needed while the same pitch already sounds
    melody_threshold: float = 0.5
    notes_per_second: float = 0.0  # usual in the balanced style, thresholds follow it; 0: fixed
    end_threshold: float = 0.0  # share of its highest from which a note has ended; 0: as it is seen


@dataclass(frozen=True, slots=True)
class ModelSpec(Spec):
    """A cover model: feature frames and a style vector in, posteriors out.

    ``stateful``: the graph's outputs for input frame t describe frame ``t - lookahead_frames``; it
    may wait for up to ``ahead_frames`` more, as many as its states ``ahead_*`` hold steps for.
    ``window``: the graph sees ``window_frames`` frames; ``local_margin_frames`` is how far the
    cached first stage looks to either side of a frame.
    """

    name: str
    kind: Literal["stateful", "window"]
    features: FeatureSpec
    version: str
    lookahead_frames: int
    outputs: tuple[str, ...] = ("onset", "frame", "velocity")
    window_frames: int = 512
    step_frames: int = 1  # frames go in by multiples of this
    local_margin_frames: int = 0
    ahead_frames: int = 0
    style_dim: int = STYLE_DIM
    styles: dict[str, list[float]] = field(default_factory=dict)  # preset name -> style vector
    decoding: Decoding = Decoding()
    trained: dict[str, Any] = field(default_factory=dict)  # data, recipe, seed, commit, tolerance

    @classmethod
    def from_metadata(cls, text: str) -> Self:
        """Return the spec from its JSON. Raises ValueError on anything else."""
        raw: Self = _from_json(cls, text)
        features = FeatureSpec.from_metadata(json.dumps(raw.features))
        decoding = _from_json(Decoding, json.dumps(raw.decoding))
        if raw.kind not in ("stateful", "window"):
            raise ValueError(f"ModelSpec: kind must be stateful or window, not {raw.kind!r}")
        return dataclasses.replace(
            raw, features=features, decoding=decoding, outputs=tuple(raw.outputs)
        )


@dataclass(frozen=True, slots=True)
class BeatSpec(Spec):
    """The beat network: feature frames in, beat and downbeat activations out.

    Its outputs for input frame t describe frame ``t - lookahead_frames``.
    """

    name: str
    features: FeatureSpec
    version: str
    lookahead_frames: int
    trained: dict[str, Any] = field(default_factory=dict)  # data, recipe, seed, commit, tolerance

    @classmethod
    def from_metadata(cls, text: str) -> Self:
        """Return the spec from its JSON. Raises ValueError on anything else."""
        raw: Self = _from_json(cls, text)
        features = FeatureSpec.from_metadata(json.dumps(raw.features))
        return dataclasses.replace(raw, features=features)
