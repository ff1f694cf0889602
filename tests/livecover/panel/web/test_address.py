"""The panel's address stays, can be renewed, and is known to other devices as a code."""

import os
import socket
from pathlib import Path

import pytest

from livecover.panel.web.address import TokenFile, network_address, qr_code


def test_a_token_is_kept_for_its_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "token"
    first = TokenFile(path).read()
    assert TokenFile(path).read() == first and len(first) >= 32
    if os.name != "nt":
        assert path.stat().st_mode & 0o777 == 0o600
    second = TokenFile(path).renew()
    assert second != first and TokenFile(path).read() == second


@pytest.mark.parametrize("text", ["", "short", "x" * 100, "a/../b" * 8, "\udcff" * 40])
def test_what_is_no_token_is_replaced(text: str, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(text.encode(errors="surrogateescape"))
    path.chmod(0o600)
    token = TokenFile(path).read()
    assert token != text and TokenFile(path).read() == token


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
def test_a_token_that_others_could_read_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "token"
    first = TokenFile(path).read()
    path.chmod(0o644)
    assert TokenFile(path).read() != first


def test_where_nothing_can_be_kept_each_token_is_new(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for tokens in (TokenFile(None), TokenFile(tmp_path / "file" / "token")):
        assert len({tokens.read(), tokens.read()}) == 2


def test_the_networks_address(monkeypatch: pytest.MonkeyPatch) -> None:
    assert network_address("192.168.1.20") == "192.168.1.20"

    class Probe(socket.socket):
        def connect(self, address: object) -> None:
            assert address == ("192.0.2.1", 9)

        def getsockname(self) -> tuple[str, int]:
            return "10.0.0.7", 1

    monkeypatch.setattr(socket, "socket", Probe)
    assert network_address("0.0.0.0") == "10.0.0.7"


def test_the_code_is_a_picture() -> None:
    code = qr_code("http://192.168.1.20:7664/secret/")
    assert b"<svg" in code and b"<path" in code
