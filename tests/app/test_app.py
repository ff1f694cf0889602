"""The app that ``make app`` has made: it plays without Python, and says what it carries."""

import os
import subprocess
import sys
from pathlib import Path

import mido
import pytest

from livecover import examples
from livecover.bench.app import run
from tests.livecover.panel.fakes import TIMEOUT, Client

ROOT = Path(__file__).parents[2]
APP = ROOT / "dist" / "livecover"
MAX_BYTES = 250e6
FRESH_ROOT = ROOT / "scripts" / "fresh-root"
LIBRARIES = (
    "from engine.audio.devices.portaudio import portaudio; portaudio();"
    "from engine.playback.fluid import FluidPiano; from livecover.sounds.synth import BUNDLED;"
    "FluidPiano(BUNDLED, 48000, 1.0); print('all')"
)
"""Loads PortAudio and FluidSynth, as a process of the program's own would."""

pytestmark = [
    pytest.mark.app,
    pytest.mark.skipif(not APP.is_dir(), reason="no dist/livecover: run make app"),
]


def environment(home: Path) -> dict[str, str]:
    """Of a user without Python, with folders of their own and no display."""
    kept = ("SYSTEMROOT", "TEMP", "TMP")
    own = {"HOME": str(home), "LOCALAPPDATA": str(home), "USERPROFILE": str(home)}
    return {
        **own,
        "PATH": os.defpath,
        **{name: os.environ[name] for name in kept if name in os.environ},
    }


def app(folder: Path, *words: str, codes: tuple[int, ...] = (0,)) -> str:
    """Run the app in a folder; return what it says."""
    done = subprocess.run(
        [APP / "livecover", *words],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert done.returncode in codes, done
    return done.stdout


def test_it_is_small_and_carries_nothing_of_training() -> None:
    files = [file for file in APP.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < MAX_BYTES
    names = {file.name.lower() for file in files}
    assert not [name for name in names if name.startswith(("torch", "libtorch", "offline_train"))]


def test_it_covers_a_song(tmp_path: Path) -> None:
    said = app(tmp_path, "--input", str(examples.path()), "--midi-out", "cover.mid")
    notes = [m for m in mido.MidiFile(tmp_path / "cover.mid") if m.type == "note_on" and m.velocity]
    assert len(notes) > 100 and f"{len(notes)} notes from" in said


def test_doctor_finds_it_whole(tmp_path: Path) -> None:
    said = app(tmp_path, "doctor", codes=(0, 1))
    assert all(f"ok    {name}" in said for name in ("system", "provider", "model", "manual"))


def test_a_double_click_serves_the_panel_until_quit(tmp_path: Path) -> None:
    (tmp_path / "livecover.toml").write_text("[panel]\nport = 0\nopen_browser = false\n")
    with subprocess.Popen(
        [APP / "livecover"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            with Client(process.stdout.readline().split()[-1]) as page:
                assert page.hear("hello")["quits"] is True
                assert "live" in page.hear("choices")["choices"]["models"]
                page.say(type="do", action="quit")
                assert process.wait(TIMEOUT) == 0
        finally:
            process.kill()


def test_each_thing_carried_has_its_licence() -> None:
    folder = APP / "NOTICES"
    lines = (folder / "NOTICES.txt").read_text(encoding="utf-8").split("\n\n", 1)[1].splitlines()
    names = {line.split()[0] for line in lines}
    assert {"python", "pyinstaller", "numpy", "onnxruntime", "python-rtmidi"} <= names
    assert names == {path.name for path in folder.iterdir() if path.is_dir()}
    assert all(any(path.stat().st_size for path in (folder / name).iterdir()) for name in names)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a menu of freedesktop's")
def test_it_enters_the_menu_and_leaves_it(tmp_path: Path) -> None:
    for words in ([], ["--remove"]):
        env = {**environment(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")}
        subprocess.run([APP / "add-to-menu", *words], env=env, check=True, capture_output=True)
        entry = tmp_path / "data" / "applications" / "livecover.desktop"
        assert entry.exists() is not bool(words)
        if not words:
            lines = entry.read_text(encoding="utf-8").splitlines()
            assert f'Exec="{APP}/livecover"' in lines and f"Icon={APP}/livecover.png" in lines


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="they come with packages there")
def test_its_libraries_serve_here(tmp_path: Path) -> None:
    assert app(tmp_path, "-P", "-c", LIBRARIES) == "all\n"


def test_it_plays_on_a_bare_system_without_python() -> None:
    check = subprocess.run([FRESH_ROOT, "--check"], capture_output=True, text=True)
    if check.returncode:
        pytest.skip(check.stderr)
    _, said = run(APP, is_bare=True)
    assert "notes from" in said
    commands = ["! command -v python3", f'./livecover -P -c "{LIBRARIES}"']
    done = subprocess.run(
        [FRESH_ROOT, "--app", APP, *commands], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0 and "\nall\n" in done.stdout, done
