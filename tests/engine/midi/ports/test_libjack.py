"""Whether a PipeWire runs here, and where its JACK lies."""

import socket
import sys
from pathlib import Path

import pytest

from engine.midi.ports import libjack

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="PipeWire is Linux's")


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"PIPEWIRE_RUNTIME_DIR": "."}, "pipewire-0"),
        ({"XDG_RUNTIME_DIR": "."}, "pipewire-0"),
        ({"XDG_RUNTIME_DIR": ".", "PIPEWIRE_REMOTE": "other"}, "other"),
    ],
)
def test_a_pipewire_is_one_that_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], name: str
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    for variable in ("XDG_RUNTIME_DIR", "PIPEWIRE_RUNTIME_DIR", "PIPEWIRE_REMOTE"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    assert not libjack.pipewire_answers()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        assert not libjack.pipewire_answers()
        server.listen()
        assert libjack.pipewire_answers()
    assert not libjack.pipewire_answers()  # a killed one leaves its socket


def test_its_libjack_lies_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libjack, "PIPEWIRE_LIBRARIES", (str(tmp_path / "*" / "libjack.so.0"),))
    assert libjack.pipewire_library() is None
    library = tmp_path / "x86_64-linux-gnu" / "libjack.so.0"
    library.parent.mkdir()
    library.touch()
    assert libjack.pipewire_library() == str(library)
