"""Look at livecover as it is installed where this runs, with nothing of the checkout on the path.

``python -I wheel_alone.py CHECKOUT FILES``: FILES lists the checkout's files that belong into the
wheel, one a line. Ends with 1 and a line at the first thing that is not as it should be.
"""

import importlib
import pkgutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import mido

SITE = Path(sysconfig.get_path("purelib"))
COMMANDS = Path(sys.executable).parent
IS_WELL = ("system", "provider", "model", "headroom", "manual")
"""What doctor finds well on any machine; sound and MIDI may be missing."""


def check_files(checkout: Path, names: list[str]) -> None:
    """Find every file of the checkout's in the installed packages, as it is there."""
    for name in names:
        there = SITE / (f"livecover/{name}" if name.startswith(("docs/", "config")) else name)
        if not there.is_file() or there.read_bytes() != (checkout / name).read_bytes():
            sys.exit(f"{name}: not in the wheel as it is in the checkout")


def check_imports(checkout: Path) -> int:
    """Import all that plays; return how many modules that are, none of them from the checkout."""
    rooms = [importlib.import_module(name) for name in ("livecover", "engine")]
    for room in rooms:
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
    for name, file in files.items():
        if file and file != __file__ and checkout in Path(file).resolve().parents:
            sys.exit(f"{name}: comes from the checkout")
    return sum(name.split(".")[0] in ("livecover", "engine") for name in files)


def run(*command: str, codes: tuple[int, ...] = (0,)) -> str:
    """Run one of the installed programs; return what it said."""
    done = subprocess.run(
        [COMMANDS / command[0], *command[1:]], capture_output=True, text=True, timeout=300
    )
    said = done.stdout + done.stderr
    if done.returncode not in codes or "Traceback" in said:
        sys.exit(f"{' '.join(command)}: ended with {done.returncode}: {said}")
    return said


def main() -> None:
    """Look at the files, the modules, ``doctor``, a cover, and training without its packages."""
    checkout, files = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    names = files.read_text(encoding="utf-8").splitlines()
    check_files(checkout, names)
    n_modules = check_imports(checkout)
    said = run("livecover", "doctor", codes=(0, 1))
    print(said, end="")
    for name in IS_WELL:
        if f"ok    {name}" not in said:
            sys.exit(f"doctor: expected {name} to be well")
    song = SITE / "livecover" / "examples" / "auld-lang-syne.ogg"
    print(run("livecover", "--input", str(song), "--midi-out", "cover.mid"), end="")
    notes = [m for m in mido.MidiFile("cover.mid") if m.type == "note_on" and m.velocity]
    if len(notes) < 100:
        sys.exit(f"expected the notes of a song in cover.mid, got {len(notes)}")
    print(run("livecover-train", "--help", codes=(0, 2)).splitlines()[0])
    print(f"the wheel alone: {len(names)} files, {n_modules} modules, {len(notes)} notes")


if __name__ == "__main__":
    main()
