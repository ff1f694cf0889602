"""Everything real time: audio in, features, inference, decoding, scheduling, MIDI out. No torch."""

import engine.system.privacy  # noqa: F401  # before any library that would call home
