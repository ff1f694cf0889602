"""Nothing of the working folder's is run: it may be a stranger's."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_python_is_started_without_the_working_folder_on_its_path() -> None:
    starts = {
        (path.relative_to(ROOT).as_posix(), found[1])
        for room in ("livecover", "engine", "models")
        for path in (ROOT / room).rglob("*.py")
        if "bench" not in path.parts
        for found in re.finditer(r"\[\s*sys\.executable, ([^,\]]+)", path.read_text("utf-8"))
    }
    assert starts and {first for _, first in starts} == {'"-P"'}, starts
