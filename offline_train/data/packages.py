"""Fetches the music of ``sources``. Not here: what is made of the music (``recordings``)."""

import logging
from collections.abc import Sequence
from pathlib import Path

from engine.core.errors import DataError
from offline_train.corpora.debian import fetch_package
from offline_train.data.sources import SOURCES, Source

log = logging.getLogger(__name__)


def fetch(folder: Path, sources: Sequence[Source] = SOURCES) -> list[Path]:
    """Download the packages that are missing into ``folder``, and return each one's folder.

    Only the music of ``sources`` and the copyright file are kept, nothing is installed. A package
    that cannot be had is named in the log and left out: another release names some differently.

    Raises
    ------
    DataError
        If this machine has no apt, or none of the packages can be had.
    """
    there, reasons = [], []
    for package in sorted({source.package for source in sources}):
        patterns = [p for s in sources if s.package == package for p in s.patterns]
        try:
            there.append(fetch_package(folder, package, patterns))
        except DataError as error:
            log.warning("left out %s", error)
            reasons.append(str(error))
    if not there:
        raise DataError(reasons[0])
    return there
