"""Keeps the last lines of the log for the pages."""

import logging
from collections import deque

MAX_LINES = 200
MAX_TEXT = 500


class LogBuffer(logging.Handler):
    """A handler that keeps the last lines; ``take_new`` is called on the server's thread."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._lines: deque[dict[str, object]] = deque(maxlen=MAX_LINES)
        self._new: deque[dict[str, object]] = deque(maxlen=MAX_LINES)
        self._n_lines = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line. Any thread."""
        text = " ".join(record.getMessage().split())[:MAX_TEXT]
        level = "error" if record.levelno >= logging.ERROR else record.levelname.lower()
        self._n_lines += 1
        line: dict[str, object] = {
            "number": self._n_lines,
            "at": round(record.created, 3),
            "level": level,
            "text": text,
        }
        self._lines.append(line)
        self._new.append(line)

    def all(self) -> dict[str, object]:
        """Return a message of all lines that are kept."""
        return {"type": "log", "lines": list(self._lines)}

    def take_new(self) -> list[dict[str, object]]:
        """Return a message of the lines since the last call; none without."""
        lines = [self._new.popleft() for _ in range(len(self._new))]
        return [{"type": "log", "lines": lines}] if lines else []
