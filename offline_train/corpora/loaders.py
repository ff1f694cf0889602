"""Brings in mirdata's loaders, an optional dependency, and names what is broken in their data.

mirdata (Bittner et al., ISMIR 2019, BSD-3-Clause, https://mirdata.readthedocs.io) knows the files
and annotations of many datasets. Its indices of files are downloads of their own; ours are made
from the files that are there, so that parts of a dataset and later versions are read as well.
"""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.core.errors import ConfigError, DataError
from engine.system.extras import needs

# What mirdata, json, yaml and smart_open raise on data of another shape.
_BROKEN = (OSError, ValueError, LookupError, TypeError, AttributeError, StopIteration)


def mirdata_loader(name: str) -> Any:
    """Return the module ``mirdata.datasets.NAME``. Raises ConfigError if it is not installed."""
    try:
        return importlib.import_module(f"mirdata.datasets.{name}")
    except ImportError as error:
        raise ConfigError(needs(f"the corpus {name} needs mirdata", "corpora")) from error


@contextmanager
def naming(path: Path | str, expected: str) -> Iterator[None]:
    """Turn what goes wrong inside into a DataError that names the file and what was expected."""
    yaml = importlib.import_module("yaml")  # comes with mirdata
    try:
        yield
    except (*_BROKEN, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"{path}: expected {expected} ({type(error).__name__}: {reason})"
        ) from error
