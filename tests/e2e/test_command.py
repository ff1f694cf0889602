"""The command with input that is wrong, and with input that is odd but right. Files only."""

import os
from collections.abc import Callable
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from models import shipped
from tests.e2e import songs, takes
from tests.e2e.chain import run_livecover

pytestmark = pytest.mark.e2e

MODEL = "live"


def missing(folder: Path) -> list[str]:
    return ["--input", "nowhere.wav"]


def empty(folder: Path) -> list[str]:
    (folder / "empty.wav").touch()
    return ["--input", "empty.wav"]


def text(folder: Path) -> list[str]:
    (folder / "text.wav").write_text("This is no sound.\n" * 100)
    return ["--input", "text.wav"]


def no_samples(folder: Path) -> list[str]:
    soundfile.write(folder / "none.wav", np.zeros((0, 2)), 44100)
    return ["--input", "none.wav"]


def no_channels(folder: Path) -> list[str]:
    soundfile.write(folder / "good.wav", songs.tune(), 44100, subtype="PCM_16")
    header = bytearray((folder / "good.wav").read_bytes())
    header[22:24] = b"\0\0"  # the number of channels in a WAV file's fmt chunk
    (folder / "channels.wav").write_bytes(header)
    return ["--input", "channels.wav"]


def not_a_number(folder: Path) -> list[str]:
    samples = songs.tune()
    samples[1234] = np.nan
    soundfile.write(folder / "nan.wav", samples, 44100, subtype="FLOAT")
    return ["--input", "nan.wav"]


def unknown_device(folder: Path) -> list[str]:
    return ["--input", "No Such Microphone"]


def song(folder: Path) -> list[str]:
    songs.tune_song(folder / "tune.wav")
    return ["--input", "tune.wav"]


def unknown_model(folder: Path) -> list[str]:
    return [*song(folder), "--model", "lvie"]


def truncated_model(folder: Path) -> list[str]:
    whole = (shipped.path() / f"{MODEL}.onnx").read_bytes()
    (folder / "half.onnx").write_bytes(whole[: len(whole) // 2])
    return [*song(folder), "--model", "half.onnx"]


def other_model(folder: Path) -> list[str]:
    frontend = next(shipped.path().glob("*.frontend.onnx"))
    return [*song(folder), "--model", str(frontend)]


def unknown_style(folder: Path) -> list[str]:
    return [*song(folder), "--style", "wild"]


def wrong_key(folder: Path) -> list[str]:
    (folder / "livecover.toml").write_text("[time]\nlatncy = 0.3\n")
    return song(folder)


def wrong_value(folder: Path) -> list[str]:
    (folder / "livecover.toml").write_text('[midi]\nchannel = "two"\n')
    return song(folder)


def not_toml(folder: Path) -> list[str]:
    (folder / "livecover.toml").write_text("latency: 3\n")
    return song(folder)


def no_config(folder: Path) -> list[str]:
    return [*song(folder), "--config", "nowhere.toml"]


def unknown_option(folder: Path) -> list[str]:
    return [*song(folder), "--latncy", "0.3"]


def no_folder(folder: Path) -> list[str]:
    return [*song(folder), "--midi-out", "nowhere/take.mid"]


def a_folder(folder: Path) -> list[str]:
    (folder / "folder.mid").mkdir()
    return [*song(folder), "--midi-out", "folder.mid"]


def no_midi_system(folder: Path) -> list[str]:
    return [*song(folder), "--midi-out", "LiveCover"]


def no_sound_server(folder: Path) -> list[str]:
    return ["--input", "loopback"]


BAD: list[tuple[Callable[[Path], list[str]], list[str]]] = [
    (missing, ["no such file", "nowhere.wav"]),
    (empty, ["empty.wav", "empty"]),
    (text, ["text.wav", "not an audio file"]),
    (no_samples, ["none.wav", "no audio"]),
    (no_channels, ["channels.wav"]),
    (not_a_number, ["nan.wav", "not a finite number", "sample 1234"]),
    (unknown_device, ["No Such Microphone"]),
    (unknown_model, ["lvie", f"did you mean '{MODEL}'"]),
    (truncated_model, ["half.onnx", "truncated"]),
    (other_model, ["frontend.onnx", "not a cover model"]),
    (unknown_style, ["wild", "calm", "balanced", "intense"]),
    (wrong_key, ["livecover.toml", "time.latncy", "did you mean time.latency?"]),
    (wrong_value, ["livecover.toml", "midi.channel", "'two'"]),
    (not_toml, ["livecover.toml", "TOML"]),
    (no_config, ["nowhere.toml", "cannot read"]),
    (unknown_option, ["--latncy", "did you mean --latency?"]),
    (no_folder, ["nowhere/take.mid", "cannot be written"]),
    (a_folder, ["folder.mid", "cannot be written"]),
    (no_midi_system, ["MIDI"]),
    (no_sound_server, ["PulseAudio"]),
]


@pytest.mark.parametrize(("make", "words"), BAD, ids=[make.__name__ for make, _ in BAD])
def test_bad_input_ends_with_one_line_and_code_2(
    make: Callable[[Path], list[str]], words: list[str], tmp_path: Path
) -> None:
    arguments = make(tmp_path)
    if "--midi-out" not in arguments:
        arguments += ["--midi-out", "take.mid"]
    result = run_livecover(tmp_path, *arguments, env=nowhere(tmp_path))
    assert result.returncode == 2, result
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    assert [word for word in words if word not in result.stderr] == [], result.stderr
    assert not (tmp_path / "take.mid").exists()


def nowhere(folder: Path) -> dict[str, str]:
    """Return variables that lead to no audio and no MIDI server."""
    return {
        "PULSE_SERVER": f"unix:{folder}/no-pulse",
        "PULSE_RUNTIME_PATH": str(folder),
        "JACK_DEFAULT_SERVER": "livecover-no-such-server",
        "JACK_NO_START_SERVER": "1",
    }


def cover(folder: Path, name: str) -> list[takes.Message]:
    """Return the notes of the cover of a file."""
    result = run_livecover(
        folder, "--input", name, "--midi-out", "take.mid", env=nowhere(folder), timeout=180
    )
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    return takes.read_midi_file(folder / "take.mid")


@pytest.mark.parametrize(
    ("sample_rate", "n_channels"), [(44100, 1), (8000, 1), (192000, 2), (44100, 8)]
)
def test_any_sample_rate_and_number_of_channels_gives_the_tune(
    sample_rate: int, n_channels: int, tmp_path: Path
) -> None:
    silence = np.zeros(round(0.5 * sample_rate), np.float32)
    tones = [songs.tone(pitch, songs.STEP, sample_rate) for pitch in songs.TUNE]
    samples = np.concatenate([silence, *tones, silence])
    soundfile.write(tmp_path / "tune.wav", np.stack([samples] * n_channels, 1), sample_rate)
    notes = cover(tmp_path, "tune.wav")
    expected = [takes.Message(0.5 + k * songs.STEP, pitch, 1) for k, pitch in enumerate(songs.TUNE)]
    late = takes.delays(expected, notes, reach=0.1)
    assert len(late) >= len(songs.TUNE) // 2  # an arrangement: not every note must be there
    assert takes.has_pairs_only(notes)


def test_a_long_silence_gives_no_notes_and_little_work(tmp_path: Path) -> None:
    minutes, sample_rate = 20, 44100
    with soundfile.SoundFile(tmp_path / "silence.flac", "w", sample_rate, 2) as file:
        for _ in range(minutes):
            file.write(np.zeros((60 * sample_rate, 2), np.int16))
    before = os.times().children_user
    assert not takes.ons(cover(tmp_path, "silence.flac"))
    # Processor time, as a busy machine hardly changes it: 10 s asleep; awake, it would be 35 s.
    assert os.times().children_user - before < 20


def test_the_take_is_a_midi_file_as_others_read_it(tmp_path: Path) -> None:
    song(tmp_path)
    cover(tmp_path, "tune.wav")
    take = mido.MidiFile(tmp_path / "take.mid")
    assert take.type == 1
    assert any(message.type == "set_tempo" for message in take.tracks[0])
