"""Measures the app without Python: seconds from its start, as by a double click, to its panel.

On this machine or, ``is_bare``, in a bare Debian without Python that ``scripts/fresh-root`` makes.
Linux, in a checkout where ``make app`` was run.
"""

import os
import statistics
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import IO

from engine.core.errors import DataError
from livecover.bench import markdown

ROOT = Path(__file__).parents[2]
N_STARTS = 5
ANSWER_S = 60.0
INSIDE = r"""
cd {folder}
sync
find . -type f -exec dd if={{}} iflag=nocache count=0 status=none \;
for k in $(seq {n}); do
    echo "start $EPOCHREALTIME"
    ./livecover app --panel-port 0 --no-open-browser </dev/null &
    read -r _
    kill -TERM $! && wait $!
done
./livecover --input _internal/livecover/examples/auld-lang-syne.ogg --midi-out /tmp/cover.mid
"""
"""What bash does with the app: puts it out of the disk's cache, starts it and, at a line from us,
ends it; at last it covers a song."""


def table(folder: Path, is_bare: bool) -> str:
    """Return the size of the app in ``folder``, its seconds to the panel, and that it covers.

    Raises DataError where there is no app, where its panel does not answer or no song is covered.
    """
    if not (folder / "livecover").is_file():
        raise DataError(f"{folder}: expected the app's folder, which 'make app' makes")
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    seconds, said = run(folder.resolve(), is_bare)
    rows = [
        ["size", f"{size / 1e6:.0f} MB"],
        ["from the start to the panel, nothing of it in the disk's cache", f"{seconds[0]:.1f} s"],
        [f"same, median of {len(seconds) - 1} more", f"{statistics.median(seconds[1:]):.1f} s"],
        ["a song into a MIDI file", said],
    ]
    return markdown(["app, on a bare Debian" if is_bare else "app, here", "measured"], rows)


def run(folder: Path, is_bare: bool) -> tuple[list[float], str]:
    """Return the seconds of each start, and what the app says of the song that it covers."""
    place = Path("/opt/app") if is_bare else folder
    script = INSIDE.format(folder=place, n=N_STARTS + 1)
    command = [str(ROOT / "scripts" / "fresh-root"), "--app", str(folder), script]
    with tempfile.TemporaryDirectory(prefix="livecover-app-") as home:
        env = dict(os.environ) if is_bare else {"HOME": home, "PATH": "/usr/bin:/bin"}
        with subprocess.Popen(
            command if is_bare else ["bash", "-c", script],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdin is not None and process.stdout is not None
            seconds = [_start(process.stdout, process.stdin) for _ in range(N_STARTS + 1)]
            rest = process.stdout.read()
    said = [line for line in rest.splitlines() if "notes from" in line]
    if process.returncode or not said:
        raise DataError(f"expected the app to cover a song, got {rest!r} ({process.returncode})")
    return seconds, said[0]


def _start(lines: IO[str], answer: IO[str]) -> float:
    """Return the seconds until the panel of one start answers; end it."""
    begun = 0.0
    for line in lines:
        words = line.split()
        if words[:1] == ["start"]:
            begun = float(words[1])
        elif words[:2] == ["panel", "at"]:
            with urllib.request.urlopen(words[2], timeout=ANSWER_S) as page:
                page.read()
            seconds = time.time() - begun
            print(file=answer, flush=True)
            return seconds
    raise DataError("the app ended before its panel was there")
