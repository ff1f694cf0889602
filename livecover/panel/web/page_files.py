"""The page's files, all in memory, so that no request can read another file.

Not here: the files (``livecover/panel/page/``).
"""

import hashlib
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}
"""Given here, since a system's own table may be wrong (Windows' registry, for .js)."""

INDEX = "index.html"


def load_page(folder: Traversable | None = None) -> dict[str, tuple[bytes, str]]:
    """Return content and type of each file of the page, by its path ("" is the page itself)."""
    found: dict[str, tuple[bytes, str]] = {}
    _add(found, folder or files("livecover.panel") / "page", "")
    if INDEX in found:
        found[""] = found[INDEX]
    return found


def _add(found: dict[str, tuple[bytes, str]], folder: Traversable, path: str) -> None:
    """Add the files of a folder and of those within, by ``path`` before their names."""
    if not folder.is_dir():
        return
    for entry in folder.iterdir():
        suffix = "." + entry.name.rpartition(".")[2]
        if entry.is_dir():
            _add(found, entry, f"{path}{entry.name}/")
        elif suffix in TYPES:
            found[path + entry.name] = (entry.read_bytes(), TYPES[suffix])


def fingerprint(page: Mapping[str, tuple[bytes, str]]) -> str:
    """Return a text that is another one where any file of the page is."""
    digest = hashlib.sha256()
    for path in sorted(page):
        digest.update(path.encode() + b"\0" + page[path][0])
    return digest.hexdigest()[:16]
