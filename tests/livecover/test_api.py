"""What programs call: the pages that show it run, it says what is wrong, and it loads late."""

import doctest
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

import livecover
from engine.core.errors import ConfigError, DeviceError, LiveCoverError, ModelError
from livecover import api
from livecover.settings.sections import Settings, with_values
from tests.tiny import TINY_FEATURES

Array = NDArray[np.float32]

DOCS = Path(__file__).parents[2] / "docs"
RATE = TINY_FEATURES.sample_rate


@pytest.fixture
def tiny(tiny_stateful_path: Path) -> dict[str, object]:
    """Settings that open the tiny model."""
    return {"model.model": str(tiny_stateful_path), "gate.enabled": False}


@pytest.fixture
def song(tmp_path: Path, tiny_song: Array) -> Path:
    path = tmp_path / "song.wav"
    soundfile.write(path, np.repeat(tiny_song, 2), 2 * RATE, subtype="FLOAT")
    return path


def test_the_page_runs() -> None:
    found = doctest.testfile(
        str(DOCS / "api.md"), module_relative=False, optionflags=doctest.ELLIPSIS
    )
    assert found.failed == 0 and found.attempted > 15


def test_the_notebook_runs(capsys: pytest.CaptureFixture[str]) -> None:
    notebook = json.loads((DOCS / "cover-a-song.ipynb").read_text(encoding="utf-8"))
    names: dict[str, object] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [], "clear the outputs before it is kept"
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    assert "#" in capsys.readouterr().out


def test_every_name_is_there_and_listed() -> None:
    assert livecover.__all__ == api.__all__
    for name in api.__all__:
        assert getattr(livecover, name) is getattr(api, name)
        assert name in dir(livecover)
    with pytest.raises(AttributeError, match="nothing"):
        livecover.nothing  # noqa: B018


def test_livecover_is_imported_without_a_library() -> None:
    heavy = "numpy onnxruntime soundfile sounddevice mido rtmidi rich starlette tomlkit".split()
    code = f"import livecover, sys; print(*[n for n in {heavy} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_file_and_its_samples_give_the_same_notes(
    song: Path, tiny: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    notes = livecover.cover(song, tiny)
    samples, rate = soundfile.read(song, dtype="float32")
    assert notes and livecover.cover_samples(samples, rate, tiny) == notes
    assert livecover.cover_samples(samples[:, None], rate, tiny) == notes
    assert livecover.cover(str(song), tiny) == notes
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")


def test_what_is_written_is_what_is_returned(
    song: Path, tiny: dict[str, object], tmp_path: Path
) -> None:
    written = livecover.write_cover(song, tmp_path / "cover.mid", tiny)
    ons = [m for m in mido.MidiFile(tmp_path / "cover.mid") if m.type == "note_on" and m.velocity]
    assert len(ons) == written.n_notes == len(livecover.cover(song, tiny))
    names = [str(tmp_path / name) for name in ("a.mid", "b.mid")]
    livecover.write_cover(song, names, tiny)
    a, b = (Path(name).read_bytes() for name in names)
    assert a == b


def test_posteriors_are_rows_of_88(tiny_song: Array, tiny: dict[str, object]) -> None:
    found = livecover.posteriors(tiny_song, RATE, tiny)
    assert found.onset.shape == (len(tiny_song) // TINY_FEATURES.hop_length + 1, 88)
    assert found.frames.tolist() == list(range(len(found)))
    stereo = np.stack([tiny_song, tiny_song], 1).repeat(2, axis=0)
    assert abs(len(livecover.posteriors(stereo, 2 * RATE, tiny)) - len(found)) <= 1


def test_an_engine_from_blocks_to_a_function(
    tiny_song: Array, tiny: dict[str, object], song: Path
) -> None:
    """The notes of a file, whatever the pace at which its blocks come."""
    settings = {**tiny, "time.late_tolerance": 10.0, "time.backlog": 60.0, "audio.ring": 60.0}
    played: list[object] = []
    blocks = [tiny_song[start : start + 64] for start in range(0, len(tiny_song), 64)]
    source = livecover.BlockSource(blocks, RATE, paced=False, block_size=64)
    with livecover.open_engine(source, livecover.FunctionSink(played.append), settings) as engine:
        assert engine.wait(60)
        assert engine.source is source
    events = [event for event in played if isinstance(event, livecover.NoteEvent)]
    assert sum(event.is_on for event in events) == sum(not event.is_on for event in events) > 0


def broken() -> Iterator[Array]:
    yield np.zeros(64, np.float32)
    raise OSError("the cable is out")


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        (broken, "the cable is out"),
        (lambda: iter([np.zeros((64, 3), np.float32)]), r"expected .*\(n, 1\).*got \(64, 3\)"),
    ],
)
def test_blocks_that_fail_end_the_song(
    blocks: Callable[[], Iterator[Array]],
    said: str,
    tiny: dict[str, object],
    caplog: pytest.LogCaptureFixture,
) -> None:
    source = livecover.BlockSource(blocks(), RATE, paced=False)
    with livecover.open_engine(source, livecover.FunctionSink(print), tiny) as engine:
        assert engine.wait(60)
    assert source.error and re.search(said, source.error)
    assert f"{source.error}; the song ends here" in caplog.text


def test_a_source_of_ones_own_keeps_its_audio_settings(
    tiny: dict[str, object],
) -> None:
    release: list[bool] = []

    def blocks() -> Iterator[Array]:
        while not release:
            yield np.zeros(64, np.float32)

    source = livecover.BlockSource(blocks(), RATE, block_size=64)
    with livecover.open_engine(source, livecover.FunctionSink(print), tiny) as engine:
        assert isinstance(engine.settings, Settings)
        with pytest.raises(ConfigError, match="blocks .*audio.* another engine"):
            engine.change(with_values(engine.settings, {"audio.ring": 3.0}))
        release.append(True)
        assert engine.wait(60)


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        (lambda: livecover.cover("none.wav"), DeviceError, "none.wav"),
        (lambda: livecover.cover("mic"), DeviceError, "mic"),
        (lambda: livecover.cover("a.wav", {"model.styl": 1}), ConfigError, "style"),
        (lambda: livecover.posteriors(np.zeros(9), 16000, {"model.model": "x"}), ModelError, "x"),
        (lambda: livecover.posteriors(np.zeros(9, np.int16), 16000), LiveCoverError, "int16"),
        (lambda: livecover.posteriors(np.zeros((2, 3, 4)), 16000), LiveCoverError, r"\(2, 3, 4\)"),
        (lambda: livecover.posteriors([], 16000, {"gate.hold": "x"}), LiveCoverError, "hold"),
        (lambda: livecover.posteriors(np.full(9, np.nan), 16000), LiveCoverError, "NaN"),
        (lambda: livecover.posteriors(np.zeros(9), 0), LiveCoverError, "4000.*got 0"),
        (lambda: livecover.open_engine("none.wav", "a.mid"), DeviceError, "none.wav"),
    ],
)
def test_what_does_not_fit_is_one_line(
    call: Callable[[], object], kind: type[LiveCoverError], said: str
) -> None:
    with pytest.raises(kind, match=said) as caught:
        call()
    assert "\n" not in str(caught.value)
