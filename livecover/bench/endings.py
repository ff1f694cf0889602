"""Measures how long each way to end takes while a server hangs: real command, real servers.

As the end-to-end tests have it (``tests/e2e/ways_out.py``, so a checkout is needed).
"""

import logging
import tempfile
from pathlib import Path

from livecover.bench import markdown, require_servers

_log = logging.getLogger(__name__)


def endings(model: str, only: str = "") -> str:
    """Return a row for each way to end whose name contains ``only``, and each hanging server."""
    require_servers()
    from tests.e2e.ways_out import HANGING, WAYS, end

    rows: list[list[object]] = []
    for hanging in HANGING:
        for way in WAYS:
            if hanging not in way.needs or only not in way.name:
                continue
            with tempfile.TemporaryDirectory(prefix="livecover-") as folder:
                left = end(Path(folder), way, hanging, "--model", model)
            stuck = "-" if left.n_stuck is None else left.n_stuck
            take = f"{left.n_take}, {'whole' if left.is_whole else 'not whole'}"
            code = "killed" if left.code is None else left.code
            figures = [f"{left.seconds:.2f}", code, left.n_notes, take, stuck]
            rows.append([way.name, hanging, *figures])
            _log.warning("%s", rows[-1])
    columns = ["s to the end", "exit code", "notes in the file", "notes in the take", "stuck"]
    return markdown(["way out", "what hangs", *columns], rows)
