"""Sound files, whole or damaged."""
