"""The benchmarks of the live program, for docs/results.md: ``python -m livecover.bench``.

``models`` (features to notes, no devices), ``live`` (real servers) and ``install`` (size, start)
return tables; ``cli`` prints them. A timing is no test: these check nothing.
"""

from collections.abc import Sequence

from engine.core.errors import DeviceError


def markdown(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table, its columns aligned.

    >>> print(markdown(["what", "ms"], [["median", 0.2]]))
    | what   | ms  |
    |--------|-----|
    | median | 0.2 |
    """
    cells = [[str(cell) for cell in row] for row in (headings, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def require_servers() -> None:
    """Raise DeviceError unless the servers of the end-to-end tests can be run from here."""
    try:
        from tests.e2e.servers import PROGRAMS
        from tests.programs import missing_programs
    except ImportError as error:
        raise DeviceError(
            f"this benchmark runs in a checkout with the extra dev, its folder first ({error})"
        ) from error
    missing = missing_programs(*PROGRAMS)
    if missing:
        raise DeviceError(f"missing: {', '.join(missing)}; run scripts/install-system test")
