"""SoundFonts: the installed ones, and whether a file is one."""

from collections.abc import Sequence
from pathlib import Path

from engine.core.errors import DeviceError

SOUNDFONT = "TimGM6mb.sf2"
SOUNDFONT_FOLDERS = (
    Path("/usr/share/sounds/sf2"),
    Path("/usr/share/sounds/sf3"),
    Path("/usr/share/soundfonts"),
    Path("/usr/local/share/soundfonts"),
    Path("/usr/local/share/fluid-synth/sf2"),
    Path("/opt/homebrew/share/fluid-synth/sf2"),
)


def installed_soundfonts(folders: Sequence[Path] = SOUNDFONT_FOLDERS) -> list[Path]:
    """Return the SoundFonts of the usual folders."""
    return [path for folder in folders for path in sorted(folder.glob("*.sf[23]"))]


def find_soundfont(wanted: Path | None = None, folders: Sequence[Path] = SOUNDFONT_FOLDERS) -> Path:
    """Return the wanted SoundFont, or ``SOUNDFONT``, or the first one of the usual folders.

    Raises
    ------
    DeviceError
        If the wanted file is no SoundFont, or none is found; the message says how to get one.
    """
    if wanted is not None:
        check_soundfont(wanted)
        return wanted
    found = installed_soundfonts(folders)
    if not found:
        raise DeviceError(
            f"expected a SoundFont such as {SOUNDFONT} in {', '.join(map(str, folders))}:"
            " run scripts/install-system, or give --soundfont FILE"
        )
    return min(found, key=lambda path: path.name != SOUNDFONT)


def check_soundfont(path: Path) -> None:
    """Raise DeviceError unless a file begins as a SoundFont; FluidSynth plays others as silence."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError as error:
        raise DeviceError(
            f"the SoundFont {path} cannot be read ({error.strerror}); give another after"
            " --soundfont"
        ) from error
    if head[:4] != b"RIFF" or head[8:] != b"sfbk":
        raise DeviceError(f"{path} is not a SoundFont; give an .sf2 or .sf3 file after --soundfont")
