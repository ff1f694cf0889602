"""Print pip constraints that hold each dependency of the live program at its lowest version.

``python lowest_versions.py pyproject.toml``: of what it needs itself, of ``demo`` and of ``test``.
"""

import re
import sys
import tomllib
from pathlib import Path

REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)>=(?P<version>[\w.]+)[^;]*(?P<marker>;.*)?$")


def lowest(text: str) -> list[str]:
    """Return a line for each requirement that names a lowest version."""
    project = tomllib.loads(text)["project"]
    extras = project["optional-dependencies"]
    named = [*project["dependencies"], *extras["demo"], *extras["test"]]
    found = filter(None, map(REQUIREMENT.match, named))
    return [f"{m['name']}=={m['version']}{m['marker'] or ''}" for m in found]


if __name__ == "__main__":
    print(*lowest(Path(sys.argv[1]).read_text(encoding="utf-8")), sep="\n")
