"""The demo on a short song with a tiny model; every file it leaves, and what it says of faults."""

import re
import subprocess
import sys
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from matplotlib.image import imread
from numpy.typing import NDArray

from engine.core.errors import DeviceError, LiveCoverError
from engine.core.notes import NoteEvent, Part
from engine.playback import soundfonts
from engine.system.command import EXIT_ERROR
from livecover import examples
from livecover.commands import demo
from livecover.commands.picture import (
    COLOURS,
    DPI,
    RANGE_DB,
    SIZE_INCHES,
    check_matplotlib,
    draw_cover,
    pitch_spectrogram,
)
from livecover.sounds import rendering as sound
from tests.messages import refused

SAMPLE_RATE = 22050
N_SAMPLES = 3 * SAMPLE_RATE + 123


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """Three seconds of stereo: an A in the left ear, nothing in the right."""
    time = np.arange(N_SAMPLES) / SAMPLE_RATE
    tone = 0.4 * np.sin(2 * np.pi * 440 * time) * (np.floor(time / 0.4) % 2)
    path = tmp_path / "song.flac"
    soundfile.write(path, np.stack([tone, 0 * tone], 1), SAMPLE_RATE)
    return path


def run(song: Path, model: Path, out: Path, *more: str) -> int:
    return demo.main(["--song", str(song), "--model", str(model), "--out", str(out), *more])


@pytest.mark.e2e
def test_the_demo_leaves_every_file(
    song: Path, tiny_stateful_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "out"
    assert run(song, tiny_stateful_path, out) == 0
    said = capsys.readouterr().out
    assert re.search(r"live: latency \d+ ms = .*capture block \+ .*half window", said)
    assert re.search(r"real-time factor \d\.\d+: 3\.0 s of song", said)
    n_notes = int(re.search(r"(\d+) notes, \d+ of them melody", said)[1])  # type: ignore[index]
    assert sorted(p.name for p in out.iterdir()) == [
        "cover.mid", "cover.png", "cover.wav", "song-and-cover.wav",
    ]  # fmt: skip

    ons = [m for m in mido.MidiFile(out / "cover.mid") if m.type == "note_on" and m.velocity]
    assert len(ons) == n_notes > 0
    piano, rate = soundfile.read(out / "cover.wav", always_2d=True)
    assert (rate, piano.shape) == (SAMPLE_RATE, (N_SAMPLES, 2))
    assert np.abs(piano).max() == pytest.approx(sound.PEAK, abs=1e-3)
    both, rate = soundfile.read(out / "song-and-cover.wav", always_2d=True)
    assert (rate, both.shape) == (SAMPLE_RATE, (N_SAMPLES, 2))
    heard, _ = soundfile.read(song, always_2d=True)
    assert np.corrcoef(both[:, 0], heard.mean(1))[0, 1] > 0.999  # the song, not delayed
    assert np.corrcoef(both[:, 1], piano.mean(1))[0, 1] > 0.999
    picture = imread(out / "cover.png")
    assert picture.shape[:2] == (SIZE_INCHES[1] * DPI, SIZE_INCHES[0] * DPI)
    assert len(np.unique(picture.reshape(-1, picture.shape[2]), axis=0)) > 50


@pytest.mark.e2e
def test_a_note_sounds_at_its_time(tmp_path: Path) -> None:
    midi = mido.MidiFile(ticks_per_beat=480)
    on = mido.Message("note_on", note=69, velocity=100, time=960)  # after a second
    midi.tracks.append(mido.MidiTrack([on, mido.Message("note_off", note=69, time=480)]))
    midi.save(tmp_path / "a.mid")
    font = soundfonts.find_soundfont()
    for sample_rate in (8000, 44100):
        piano = sound.render_piano(tmp_path / "a.mid", 2 * sample_rate, sample_rate, font)
        assert piano.shape == (2 * sample_rate, 2) and piano.dtype == np.float32
        loud = np.flatnonzero(np.abs(piano).max(1) > 0.1)[0] / sample_rate
        assert loud == pytest.approx(1.0, abs=0.03)


def test_the_bundled_song_is_the_default() -> None:
    options = demo.make_parser().parse_args([])
    assert options.song == examples.path() and options.song.is_file()
    assert options.model == "live"


def test_a_missing_fluidsynth_is_one_line(
    song: Path,
    tiny_stateful_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PATH", "")
    assert run(song, tiny_stateful_path, tmp_path / "out") == EXIT_ERROR
    said = capsys.readouterr().err
    assert said == "demo: expected the program fluidsynth: run scripts/install-system\n"
    assert not (tmp_path / "out").exists()  # looked for before any work


def test_a_missing_soundfont_says_what_to_do(tmp_path: Path) -> None:
    with refused(DeviceError, "SoundFont", "TimGM6mb.sf2", "run "):
        soundfonts.find_soundfont(folders=[tmp_path, tmp_path / "none"])


def test_the_small_soundfont_comes_first(tmp_path: Path) -> None:
    for name in ("Alto.sf3", "Zither.sf2"):
        (tmp_path / name).touch()
    assert soundfonts.find_soundfont(folders=[tmp_path]).name == "Alto.sf3"
    (tmp_path / "TimGM6mb.sf2").touch()
    assert soundfonts.find_soundfont(folders=[tmp_path]).name == "TimGM6mb.sf2"


def test_a_file_that_is_no_soundfont_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.sf2").write_text("not a SoundFont")
    for name, fault in (("bad.sf2", "is not a SoundFont"), ("none.sf2", "cannot be read")):
        with pytest.raises(DeviceError, match=rf"{name} {fault}.* give an"):
            soundfonts.find_soundfont(tmp_path / name)
    (tmp_path / "good.sf2").write_bytes(b"RIFF\0\0\0\0sfbkLIST")
    assert soundfonts.find_soundfont(tmp_path / "good.sf2") == tmp_path / "good.sf2"


def test_what_fluidsynth_says_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "fluidsynth"
    program.write_text("#!/bin/sh\necho out of >&2\necho tune >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with refused(DeviceError, "a.mid", "b.sf2", "out of tune"):
        sound.render_piano(Path("a.mid"), 10, 44100, Path("b.sf2"))


def test_a_missing_matplotlib_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with refused(LiveCoverError, "matplotlib", "type: "):
        check_matplotlib()


@pytest.mark.e2e
def test_a_song_or_folder_that_is_not_there_is_one_line(
    tiny_stateful_path: Path, song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "loopback", tiny_stateful_path, tmp_path / "out") == EXIT_ERROR
    assert "loopback" in capsys.readouterr().err
    assert run(song, tiny_stateful_path, song / "out") == EXIT_ERROR
    said = capsys.readouterr().err
    assert said.startswith("demo: expected a folder to write to after --out:")
    assert said.count("\n") == 1
    assert demo.main(["--sing"]) == EXIT_ERROR
    assert "--sing" in capsys.readouterr().err


def test_both_ears_are_as_loud() -> None:
    song = np.full((4, 1), 0.1, np.float32)
    both = sound.side_by_side(song, np.full((4, 2), 0.5, np.float32))
    np.testing.assert_allclose(both, np.full((4, 2), sound.PEAK), rtol=1e-6)
    assert not sound.side_by_side(0 * song, np.zeros((4, 2), np.float32)).any()


@pytest.mark.parametrize("sample_rate", [16000, 44100])
def test_a_tone_lies_on_its_pitch_at_its_time(sample_rate: int) -> None:
    time = np.arange(2 * sample_rate) / sample_rate
    tone: NDArray[np.float32] = (np.sin(2 * np.pi * 440 * time) * (time >= 1)).astype(np.float32)
    levels = pitch_spectrogram(tone, sample_rate)
    assert levels.shape == (264, 101) and levels.max() == 0 and levels.min() == -RANGE_DB
    assert levels[:, 75].argmax() == (69 - 21) * 3
    assert levels[144, 40] == -RANGE_DB and levels[144, 60] > -1  # 0.8 s and 1.2 s


def test_silence_is_drawn_white() -> None:
    assert (pitch_spectrogram(np.zeros(16000, np.float32), 16000) == -RANGE_DB).all()


@pytest.mark.parametrize("part", [None, "melody", "accompaniment"])
def test_notes_are_drawn_in_the_colour_of_their_part(part: Part | None, tmp_path: Path) -> None:
    events = [NoteEvent(0.2, 60, 127, part), NoteEvent(0.8, 60, 0, part)] if part else []
    draw_cover(tmp_path / "a.png", np.zeros(16000, np.float32), 16000, events, "a title")
    pixels = imread(tmp_path / "a.png")[200:, 200:, :3]  # without the legend, at the upper right
    pixels = np.round(255 * pixels[:, : pixels.shape[1] * 3 // 4]).astype(int)
    for name, colour in COLOURS.items():
        rgb = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
        n_close = int((np.abs(pixels - rgb).max(2) < 8).sum())
        assert (n_close > 1000) == (name == part)


def test_the_demo_loads_without_its_extra_and_torch() -> None:
    extra = {"torch", "matplotlib", "soxr", "pedalboard"}
    code = f"import sys, livecover.commands.demo; print({extra} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
