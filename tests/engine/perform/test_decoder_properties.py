"""Whatever a model says, the decoder's notes are well formed: properties of any posteriors."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.core.notes import NoteEvent, Posteriors
from engine.core.settings import DecoderSettings
from engine.perform.decoder import NoteDecoder


def random_posteriors(seed: int, n: int, n_pitches: int, gaps: bool, levels: int) -> Posteriors:
    """Return noise, coarse where ``levels`` is small, so that plateaus and ties happen."""
    rng = np.random.default_rng(seed)

    def noise() -> NDArray[np.float32]:
        values = np.zeros((n, 88), dtype=np.float32)
        values[:, :n_pitches] = rng.integers(0, levels + 1, (n, n_pitches)) / levels
        return values

    steps = rng.choice([1, 1, 1, 1, 2, 9], n) if gaps else np.ones(n)
    frames = np.cumsum(steps).astype(np.int64)
    return Posteriors(frames, noise(), noise(), noise(), noise())


def part_of(posteriors: Posteriors, rows: slice) -> Posteriors:
    assert posteriors.melody is not None
    return Posteriors(
        posteriors.frames[rows],
        posteriors.onset[rows],
        posteriors.frame[rows],
        posteriors.velocity[rows],
        posteriors.melody[rows],
    )


ANY_SETTINGS = st.builds(
    DecoderSettings,
    onset_threshold=st.sampled_from([0.0, 0.3, 0.9]),
    restrike_threshold=st.sampled_from([0.2, 0.7]),
    minimum_note=st.sampled_from([0.0, 0.02, 0.06, 0.5]),
    minimum_gap=st.sampled_from([0.0, 0.03, 0.06]),
    maximum_note=st.sampled_from([1.0, 20.0]),
    polyphony=st.sampled_from([1, 3, 16]),
    notes_per_second=st.sampled_from([0.0, 2.0, 30.0]),
    density=st.sampled_from([0.5, 1.0]),
    end_threshold=st.sampled_from([0.0, 0.5, 1.0]),
)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 150),
    st.integers(1, 88),
    st.booleans(),
    st.sampled_from([2, 5, 1000]),
    st.lists(st.integers(1, 40), min_size=1, max_size=6),
    ANY_SETTINGS,
    st.sampled_from([0, 2, 6]),
)
def test_any_posteriors_give_well_formed_events(
    seed: int,
    n: int,
    n_pitches: int,
    gaps: bool,
    levels: int,
    cuts: list[int],
    decoder_settings: DecoderSettings,
    wait_frames: int,
) -> None:
    posteriors = random_posteriors(seed, n, n_pitches, gaps, levels)
    whole = NoteDecoder(0.016, decoder_settings, wait_frames=wait_frames)
    events = whole.push(posteriors) + whole.flush()

    pieces = NoteDecoder(0.016, decoder_settings, wait_frames=wait_frames)
    streamed: list[NoteEvent] = []
    start = 0
    for i in range(n):
        stop = start + cuts[i % len(cuts)]
        streamed += pieces.push(part_of(posteriors, slice(start, stop)))
        start = stop
    assert streamed + pieces.flush() == events

    assert [event.time for event in events] == sorted(event.time for event in events)
    sounding: dict[int, float] = {}
    for event in events:
        if event.is_on:
            assert event.pitch not in sounding and 1 <= event.velocity <= 127
            sounding[event.pitch] = event.time
            assert len(sounding) <= decoder_settings.polyphony
        else:
            assert sounding.pop(event.pitch) < event.time
    assert not sounding


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_flush_at_any_moment_keeps_order_and_pairs(seed: int, every: int) -> None:
    posteriors = random_posteriors(seed, 80, 12, False, 4)
    own = DecoderSettings(minimum_note=0.1, end_threshold=0.5)
    decoder = NoteDecoder(0.016, own, wait_frames=every % 3)
    events: list[NoteEvent] = []
    for start in range(0, 80, every):
        events += decoder.push(part_of(posteriors, slice(start, start + every)))
        events += decoder.flush()
    assert [event.time for event in events] == sorted(event.time for event in events)
    assert sum(event.is_on for event in events) * 2 == len(events)
