"""The command that installs a missing package, given how livecover was installed.

Never a name of ours for an index to look up: PyPI's ``livecover`` is another's program. What ours
is called there stands in pyproject.toml alone. Not here: packages of the system (``portaudio``,
``fluid``).
"""

import importlib.util
import json
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from importlib.metadata import Distribution, PackageNotFoundError, entry_points
from pathlib import Path

COMMAND = "livecover"
_REQUIREMENT = re.compile(r"([\w.-]+(?:<[\w.]+)?).*\bextra == ['\"]([\w-]+)['\"].*")


def needs(what: str, extra: str) -> str:
    """Return a message: ``what`` needs which package, and what to type to have its extra.

    >>> needs("finding beats needs librosa", "match").partition(" type: ")[0]
    'finding beats needs librosa, which is not installed;'
    """
    if is_app():
        return (
            f"{what}, which this app does not carry: install livecover with Python for it, as its"
            " manual says (First sound in five minutes)"
        )
    checkout = _checkout()
    if checkout is None:
        command = install(packages_of(extra))
    else:
        command = f"{_pip_install()} -e {shlex.quote(f'{checkout}[{extra}]')}"
    return f"{what}, which is not installed; type: {command}"


def install(packages: Sequence[str], options: Sequence[str] = ()) -> str:
    """Return what to type to have packages where livecover is, with these options of pip.

    >>> install(["soundcard"]).endswith(" soundcard")
    True
    """
    if Path(sys.prefix, "pipx_metadata.json").is_file():
        given = [f"--pip-args={shlex.join(options)}"] if options else []
        return shlex.join(["pipx", "inject", _distribution().name, *packages, *given])
    return f"{_pip_install()} {shlex.join([*options, *packages])}"


def packages_of(extra: str) -> list[str]:
    """Return the names of an extra's packages, with the version that one must stay below."""
    found = map(_REQUIREMENT.fullmatch, _distribution().requires or ())
    return [match[1] for match in found if match and match[2] == extra]


def is_app() -> bool:
    """Return whether this is the app, which carries its Python: nothing can be added to it."""
    return bool(getattr(sys, "frozen", False))


def _distribution() -> Distribution:
    """Return what was installed with our command, however it is called there.

    Raises PackageNotFoundError where the program runs from its folder, without being installed.
    """
    for point in entry_points(group="console_scripts", name=COMMAND):
        if point.module.startswith("livecover.") and point.dist is not None:
            return point.dist
    raise PackageNotFoundError(COMMAND)


def _pip_install() -> str:
    """Return how this interpreter's pip is asked to install."""
    if importlib.util.find_spec("pip") is None:  # uv makes environments without it
        return f"uv pip install --python {shlex.quote(sys.executable)}"
    found = shutil.which("python")
    is_here = found is not None and Path(found).parent == Path(sys.executable).parent
    return f"{'python' if is_here else shlex.quote(sys.executable)} -m pip install"


def _checkout() -> Path | None:
    """Return the checkout that livecover runs from: as an editable, or without being installed."""
    try:
        source = json.loads(_distribution().read_text("direct_url.json") or "{}")
    except PackageNotFoundError:
        source = {"dir_info": {"editable": True}}
    return Path(__file__).parents[2] if source.get("dir_info", {}).get("editable") else None
