"""Measures the size of the live program, and the time until it can play."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from livecover.bench import markdown, require_servers

ROOT = Path(__file__).parents[2]
MEGABYTE = 1e6
N_LARGEST = 6
N_STARTS = 5


def size() -> str:
    """Return the size on disk of the program and its dependencies, without extras.

    Installs this checkout into a fresh virtual environment with pip, which needs its package index.
    """
    with tempfile.TemporaryDirectory(prefix="livecover-size-") as folder:
        venv.create(folder, with_pip=False)
        python = Path(folder, "Scripts" if os.name == "nt" else "bin", "python")
        pip = [sys.executable, "-m", "pip", "--python", str(python)]
        constraints = ["--constraint", str(ROOT / "constraints.txt")]
        quiet = ["--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", *quiet, *constraints, str(ROOT)], check=True)
        found = subprocess.run(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            check=True,
            capture_output=True,
            text=True,
        )
        packages = Path(found.stdout.strip())
        sizes = {path.name: _bytes(path) for path in packages.iterdir()}
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:N_LARGEST]
    rows = [["all", f"{sum(sizes.values()) / MEGABYTE:.0f}"]]
    rows += [[name, f"{n / MEGABYTE:.0f}"] for name, n in largest]
    return markdown(["installed without extras", "MB"], rows)


def _bytes(path: Path) -> int:
    """Return the bytes in a file or a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def startup() -> str:
    """Return the seconds from the command to an open MIDI port and a running capture.

    Needs PulseAudio and JACK (scripts/install-system test); the first start, which reads from the
    disk what later ones find in memory, is shown apart.
    """
    require_servers()
    from tests.e2e import chain as real

    seconds = []
    with tempfile.TemporaryDirectory(prefix="livecover-") as folder:
        for k in range(N_STARTS):
            work = Path(folder, str(k))
            work.mkdir()
            with real.chain(work) as chain:
                start = time.perf_counter()
                with chain.livecover():
                    seconds.append(time.perf_counter() - start)
    rows = [
        ["first", f"{seconds[0]:.1f}"],
        [f"median of {N_STARTS}", f"{statistics.median(seconds):.1f}"],
    ]
    return markdown(["from the command to MIDI-ready", "s"], rows)
