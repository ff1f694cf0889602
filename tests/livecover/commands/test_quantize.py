"""Takes on a rhythm whose beats are known: where their notes go, and what the file says of time."""

import errno
import signal
from pathlib import Path
from typing import NoReturn

import mido
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import ConfigError, DataError
from engine.midi.tempo_map import TICKS_PER_BEAT
from engine.whole_song.beats import Beats
from livecover.cli import main
from livecover.commands import quantize
from livecover.commands.quantize import beats_of, quantize_take, run
from livecover.commands.timed_messages import Timed, timed_tracks
from tests.messages import refused

BEAT_S, FIRST_S = 0.6, 0.4  # 100 beats a minute
BEATS = Beats(FIRST_S + BEAT_S * np.arange(16), first_downbeat=1)
STEP = TICKS_PER_BEAT // 4
MS = 0.0015  # a tick, twice over


def take_of(*notes: tuple[float, float, int], pedals: tuple[float, ...] = ()) -> mido.MidiFile:
    """A take as it is recorded, at 120 beats a minute: (onset, offset, pitch), pedal changes."""
    rows = [(on, 2, mido.Message("note_on", note=p, velocity=80)) for on, _, p in notes]
    rows += [(off, 0, mido.Message("note_off", note=p)) for _, off, p in notes]
    rows += [
        (at, 1, mido.Message("control_change", control=64, value=127 * (1 - k % 2)))
        for k, at in enumerate(pedals)
    ]
    file = mido.MidiFile(type=1, ticks_per_beat=960)
    file.add_track("livecover").append(mido.MetaMessage("set_tempo", tempo=500_000))
    track, now = file.add_track("accompaniment"), 0
    for at, _, message in sorted(rows, key=lambda row: row[:2]):
        tick = round(at * 1920)
        track.append(message.copy(time=tick - now))
        now = tick
    return file


def ons(file: mido.MidiFile) -> list[Timed]:
    return [timed for track in timed_tracks(file) for timed in track if timed.end is not None]


def steps_of(file: mido.MidiFile) -> list[float]:
    """Where note-ons lie in the file, in sixteenths."""
    found = []
    for track in file.tracks:
        now = 0
        for message in track:
            now += message.time
            if message.type == "note_on":
                found.append(now / STEP)
    return found


def jittered(n: int = 40) -> list[tuple[float, float, int]]:
    """Sixteenths of the beats, each up to 40 ms off, and as much early as late."""
    rng = np.random.default_rng(3)
    off = rng.uniform(-0.04, 0.04, n // 2)
    off = rng.permutation(np.concatenate([off, -off]))
    times = FIRST_S + BEAT_S / 4 * np.arange(n) + off
    return [(t, t + 0.1, 60 + k % 12) for k, t in enumerate(times.tolist())]


def test_full_strength_puts_every_note_onto_a_sixteenth() -> None:
    quantized = quantize_take(take_of(*jittered()), BEATS, 1.0)
    # The first beat comes after a lead of three sixteenths.
    assert steps_of(quantized) == pytest.approx(3 + np.arange(40), abs=0.02)


def test_half_strength_goes_half_the_way() -> None:
    notes = jittered()
    true = FIRST_S + BEAT_S / 4 * np.arange(len(notes))
    moved = np.array([on.time for on in ons(quantize_take(take_of(*notes), BEATS, 0.5))])
    before = np.array([on for on, _, _ in notes]) - true
    assert moved - true == pytest.approx(before / 2, abs=0.004)  # the shift as a whole is estimated


def test_no_strength_leaves_the_seconds_and_writes_the_tempo() -> None:
    notes = jittered()
    quantized = quantize_take(take_of(*notes), BEATS, 0.0)
    found = ons(quantized)
    assert [on.time for on in found] == pytest.approx([on for on, _, _ in notes], abs=MS)
    assert [on.end.time for on in found if on.end] == pytest.approx(
        [off for _, off, _ in notes], abs=MS
    )
    tempos = [m.tempo for m in quantized.tracks[0] if m.type == "set_tempo"]
    assert tempos[0] == pytest.approx(1e6 * FIRST_S, abs=5000)  # the lead
    assert tempos[1:] == pytest.approx([1e6 * BEAT_S] * (len(tempos) - 1), abs=2)


def test_bars_begin_where_the_song_has_them() -> None:
    metres = []
    now = 0
    for message in quantize_take(take_of(*jittered()), BEATS).tracks[0]:
        now += message.time
        if message.type == "time_signature":
            metres.append((now // STEP, message.numerator, message.denominator))
    assert metres == [(0, 7, 16), (7, 4, 4)]  # the lead, a beat, and the downbeat


def test_lengths_are_kept_and_the_pedal_goes_along() -> None:
    on, late = FIRST_S + 4 * BEAT_S, 0.03
    others = [(FIRST_S + k * BEAT_S, FIRST_S + k * BEAT_S + 0.2, 40) for k in range(4)]
    take = take_of(*others, (on + late, on + late + 0.33, 60), pedals=(0.5, on + late, on + 0.11))
    quantized = quantize_take(take, BEATS, 1.0)
    note = ons(quantized)[-1]
    assert note.end is not None
    assert note.time == pytest.approx(on, abs=MS)
    assert note.end.time - note.time == pytest.approx(0.33, abs=2 * MS)
    pedals = [t.time for t in timed_tracks(quantized)[-1] if t.message.type == "control_change"]
    assert pedals == pytest.approx([0.5, on, on + 0.11 - late], abs=MS)


def test_a_key_struck_twice_within_a_step_keeps_both_strikes() -> None:
    on = FIRST_S + 2 * BEAT_S
    others = [(FIRST_S + k * BEAT_S, FIRST_S + k * BEAT_S + 0.2, 40) for k in range(8)]
    quantized = quantize_take(
        take_of(*others, (on - 0.04, on, 60), (on + 0.04, on + 0.2, 60)), BEATS, 1.0
    )
    first, second = (note for note in ons(quantized) if note.message.note == 60)
    assert first.end is not None and first.end.time <= second.time + MS
    assert second.time - first.time >= 0.06 - MS


def test_texts_stay_where_they_are() -> None:
    take = take_of(*jittered())
    take.tracks[0].append(mido.MetaMessage("text", text="style calm", time=1920))
    texts = [t for t in timed_tracks(quantize_take(take, BEATS))[1] if t.message.type == "text"]
    assert texts[0].time == pytest.approx(1.0, abs=MS)


def test_a_take_without_notes_gets_its_tempo() -> None:
    quantized = quantize_take(take_of(), BEATS)
    assert any(message.type == "set_tempo" for message in quantized.tracks[0])


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_a_strength_that_is_none(strength: float) -> None:
    with refused(ConfigError, "--strength", "0", "1"):
        quantize_take(take_of(), BEATS, strength)


def test_steps_that_are_none() -> None:
    with refused(ConfigError, "--steps", "1", "12", "0"):
        quantize_take(take_of(), BEATS, 0.5, 0)


def write_take(folder: Path, name: str, sound: np.ndarray, rate: int = 16000) -> Path:
    take_of(*jittered()).save(folder / f"{name}.mid")
    soundfile.write(folder / f"{name}.flac", sound, rate)
    return folder / f"{name}.mid"


def test_a_folder_of_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantize, "beats_of", lambda sound, beats_per_bar: BEATS)
    for name in ("one", "two"):
        write_take(tmp_path, name, np.zeros(1600))
    (tmp_path / "one quantized.flac").touch()
    lines = [*run([tmp_path]), *run([tmp_path])]
    assert len(lines) == 4
    assert lines[0].endswith("one quantized.mid: 100.0 beats a minute, strength 0.5")
    assert mido.MidiFile(tmp_path / "two quantized.mid").ticks_per_beat == TICKS_PER_BEAT


def test_no_take(tmp_path: Path) -> None:
    with refused(DataError, "expected a take", "NAME.mid", "NAME.flac"):
        list(run([tmp_path]))
    take_of().save(tmp_path / "alone.mid")
    with pytest.raises(DataError, match="expected a take"):
        list(run([tmp_path / "alone.mid"]))
    (tmp_path / "alone.flac").touch()
    (tmp_path / "alone.mid").write_bytes(b"no midi")
    with pytest.raises(DataError, match="expected a MIDI file, got"):
        list(run([tmp_path / "alone.mid"]))


def clicks(seconds: float, rate: int = 16000) -> np.ndarray:
    """A low and three high tones a bar, struck on each beat: a rhythm whose beats are known."""
    time = np.arange(round(seconds * rate)) / rate
    sound = np.zeros(len(time))
    for k, beat in enumerate(np.arange(FIRST_S, seconds - 0.5, BEAT_S)):
        since = np.maximum(time - beat, 0.0)
        f0_hz = 110.0 if k % 4 == 0 else 440.0
        tone = sum(np.sin(2 * np.pi * f0_hz * h * since) / h for h in (1, 2, 3, 4))
        sound += 0.2 * tone * np.exp(-8 * since) * (time >= beat)
    return sound


@pytest.mark.slow
def test_the_beats_of_a_clicked_rhythm(tmp_path: Path) -> None:
    take = write_take(tmp_path, "clicked", clicks(12.0))
    beats = beats_of(quantize.sound_of(take))
    assert beats.bpm == pytest.approx(100.0, rel=0.01)
    true = FIRST_S + BEAT_S * np.arange(40)
    errors = np.abs(beats.times[:, None] - true[None]).min(1)
    assert np.median(errors) < 0.02 and (errors < 0.05).mean() > 0.9
    list(run([take], 1.0))
    moved = ons(mido.MidiFile(tmp_path / "clicked quantized.mid"))[:40]
    assert [on.time for on in moved] == pytest.approx(
        FIRST_S + BEAT_S / 4 * np.arange(40), abs=0.02
    )


def test_a_sound_without_a_beat(tmp_path: Path) -> None:
    take = write_take(tmp_path, "silent", np.zeros(16000))
    with refused(DataError, "at least", "8", "beats"):
        list(run([take]))


def test_one_bad_take_does_not_keep_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantize, "beats_of", lambda sound, beats_per_bar: BEATS)
    for name in ("a", "b", "c"):
        write_take(tmp_path, name, np.zeros(1600))
    (tmp_path / "b.mid").write_bytes(b"no midi")
    assert main(["quantize", str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert [line.split(":")[0] for line in said.out.splitlines()] == [
        str(tmp_path / "a quantized.mid"),
        str(tmp_path / "c quantized.mid"),
    ]
    assert "b.mid: expected a MIDI file" in said.err
    assert "1 of 3 takes could not be quantized: b.mid" in said.err


def test_the_first_signal_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)
        pytest.fail("it went on")

    take = write_take(tmp_path, "take", np.zeros(1600))
    monkeypatch.setattr(quantize, "beats_of", interrupt)
    assert main(["quantize", str(take)]) == 130
    assert sorted(path.name for path in tmp_path.iterdir()) == ["take.flac", "take.mid"]


@given(
    st.floats(0, 9),
    st.floats(0.3, 1.2),
    st.integers(0, 3),
    st.sampled_from([1, 3, 4, 12]),
)
def test_a_quantized_take_is_where_the_beats_are(
    first: float, period: float, downbeat: int, steps_per_beat: int
) -> None:
    beats = Beats(first + period * np.arange(16), downbeat)
    wanted = first + period / steps_per_beat * np.arange(16 * steps_per_beat)
    notes = [(at, at + 0.02, 40 + k % 12) for k, at in enumerate(wanted.tolist())]
    quantized = quantize_take(take_of(*notes), beats, 1.0, steps_per_beat)
    found = ons(quantized)
    assert [on.time for on in found] == pytest.approx(wanted, abs=0.02)
    assert all(on.end is not None and on.end.time > on.time for on in found)


def test_what_may_not_be_read_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: object, **_: object) -> NoReturn:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with monkeypatch.context() as patched:  # a folder that may not be listed
        patched.setattr(Path, "iterdir", denied)
        with refused(DataError, "cannot be read", "Permission denied", "folder"):
            list(run([tmp_path]))
    (tmp_path / "a.mid").write_bytes(b"")
    with monkeypatch.context() as patched:  # one whose files may not be looked at
        patched.setattr("engine.system.paths.os.stat", denied)
        with refused(DataError, "a.mid", "a.flac", "Permission"):
            list(run([tmp_path / "a.mid"]))
