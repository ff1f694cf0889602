"""The engine: threads, one session after the other, changes while it plays."""
