"""The panel's address: its secret token, kept from one start to the next, and the network's view.

Not here: the check of a token (``livecover.panel.web.security``).
"""

import contextlib
import io
import os
import re
import secrets
import socket
from pathlib import Path

import segno

from engine.core.errors import ConfigError, LiveCoverError
from engine.system.paths import state_folder
from engine.system.whole_file import written_whole

TOKEN_BYTES = 24
TOKEN_FILE = "panel-token"
ELSEWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses of documentation (RFC 5737, 3849): the way to them is the way to others."""


def make_token() -> str:
    """Return a new secret of 192 bits, as text for a URL."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_path() -> Path | None:
    """Return the path of the user's token; None without a home folder."""
    try:
        return state_folder() / TOKEN_FILE
    except ConfigError:
        return None


class TokenFile:
    """A token in a file that only the user can read.

    Parameters
    ----------
    path
        None: nothing is kept, and each token is new.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def read(self) -> str:
        """Return the token that is kept; a new one, kept from now on, if there is none."""
        if self._path is not None:
            with contextlib.suppress(OSError, UnicodeError):
                token = self._path.read_text("ascii").strip()
                if re.fullmatch(r"[\w-]{32,64}", token) and _is_private(self._path):
                    return token
        return self.renew()

    def renew(self) -> str:
        """Return a new token, and keep it where that is possible."""
        token = make_token()
        if self._path is not None:
            with contextlib.suppress(OSError, LiveCoverError):
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with written_whole(self._path) as file:
                    if hasattr(os, "fchmod"):
                        os.fchmod(file.fileno(), 0o600)
                    file.write(token.encode())
        return token


def _is_private(path: Path) -> bool:
    """Return whether nobody else may read the file, as far as the system tells."""
    return os.name == "nt" or not path.stat().st_mode & 0o077


def network_address(host: str) -> str | None:
    """Return this machine's address for others, where the panel listens at ``host``; None if none.

    No packet is sent: the system only says which of its addresses it would use.
    """
    if host not in ("0.0.0.0", "::"):
        return host
    for family, elsewhere in ELSEWHERE.items():
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, 9))
            found = str(probe.getsockname()[0])
            if not found.startswith(("127.", "::1")):
                return found
        if host == "0.0.0.0":
            return None
    return None


def qr_code(text: str) -> bytes:
    """Return a QR code as SVG."""
    image = io.BytesIO()
    segno.make(text, error="m", micro=False).save(image, kind="svg", scale=4, border=2)
    return image.getvalue()
