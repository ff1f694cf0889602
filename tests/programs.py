"""Programs of the system that tests run; ``scripts/install-system test`` brings them."""

import shutil

import pytest


def missing_programs(*programs: str) -> list[str]:
    """Return those of ``programs`` that are not on the PATH."""
    return [program for program in programs if shutil.which(program) is None]


def needs(*programs: str) -> pytest.MarkDecorator:
    """Mark tests that run ``programs``: they are skipped where one is missing."""
    missing = missing_programs(*programs)
    words = f"missing: {', '.join(missing)}; run scripts/install-system test"
    return pytest.mark.skipif(bool(missing), reason=words)
