"""The data folder: a folder for each corpus, and ``splits.json``."""

import os
from pathlib import Path

from engine.core.errors import DataError
from engine.system.paths import given_path, is_folder

DATA_VARIABLE = "LIVECOVER_DATA"


def find_data_folder(given: str | Path | None) -> Path:
    """Return the folder that is given, else the environment's.

    Raises
    ------
    DataError
        If there is none; it says what belongs there.
    """
    text = str(given) if given else os.environ.get(DATA_VARIABLE)
    folder = given_path(text or "")
    if not text or not is_folder(folder):
        raise DataError(
            f"expected a data folder (--data FOLDER or {DATA_VARIABLE}), got {text or 'none'}; it "
            "holds pop909/ (https://github.com/music-x-lab/POP909-Dataset, MIT) and splits.json"
        )
    return folder
