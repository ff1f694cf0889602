"""Finds the manual, in an installed program or a checkout."""

from pathlib import Path


def manual() -> Path:
    """Return the folder of the pages: the package's, or the checkout's."""
    shipped = Path(__file__).parents[1] / "docs"
    return shipped if shipped.is_dir() else Path(__file__).parents[2] / "docs"


def all_settings() -> Path:
    """Return the file that explains all settings."""
    return manual().parent / "config.toml"
