"""Where the pages of the manual lie, for a program installed in whatever way."""

from pathlib import Path


def manual() -> Path:
    """Return the folder of the pages: it comes with the package, or is the checkout's own."""
    shipped = Path(__file__).parents[1] / "docs"
    return shipped if shipped.is_dir() else Path(__file__).parents[2] / "docs"


def all_settings() -> Path:
    """Return the file that has every setting, its default and what it means."""
    return manual().parent / "config.toml"
