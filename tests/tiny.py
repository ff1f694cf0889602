"""Tiny models of both kinds for tests of everything that runs models: their specs and files.

No torch here: ``tests/make_tiny_models.py`` has made the files in ``tests/tiny_models``.
"""

from pathlib import Path

from models.spec import METADATA_KEY, STYLE_DIM, FeatureSpec, ModelSpec

FOLDER = Path(__file__).parent / "tiny_models"
"""Both models, their front end, and a sample pair of each; do not change what lies in it."""

TINY_FEATURES = FeatureSpec(
    name="tiny",
    layer="STFT",
    sample_rate=4000,
    n_fft=256,
    win_length=256,
    hop_length=64,
    n_bins=30,
    f_min=60.0,
    f_max=1800.0,
    log_floor=0.01,
)
TINY_STATEFUL = ModelSpec(
    name="tiny",
    kind="stateful",
    features=TINY_FEATURES,
    version="1",
    lookahead_frames=3,  # not a whole number of steps, to try the bookkeeping
    outputs=("onset", "frame", "velocity", "melody"),
    step_frames=2,
    styles={
        "calm": [-1.0] * STYLE_DIM,
        "balanced": [0.0] * STYLE_DIM,
        "intense": [1.0] * STYLE_DIM,
    },
)
TINY_WINDOW = ModelSpec(
    name="tiny-window",
    kind="window",
    features=TINY_FEATURES,
    version="1",
    lookahead_frames=7,
    window_frames=48,
    step_frames=4,
    local_margin_frames=2,
)


def with_metadata(source: Path, target: Path, value: str | None) -> Path:
    """Copy a model with other metadata, or none; return the copy."""
    key = METADATA_KEY.encode()
    model = source.read_bytes().replace(key, b"x" * len(key))
    if value is not None:  # ModelProto.metadata_props, field 14: a key, field 1, and a value, 2
        model += _field(14, _field(1, key) + _field(2, value.encode()))
    target.write_bytes(model)
    return target


def _field(number: int, content: bytes) -> bytes:
    """Return a field of a protocol buffer: its number and type, its length, its content."""
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    groups = [value >> shift & 0x7F for shift in range(0, max(1, value.bit_length()), 7)]
    return bytes([*(group | 0x80 for group in groups[:-1]), groups[-1]])
