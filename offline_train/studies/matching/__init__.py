"""Sound and score in one space (``models.embedding``): data, training, retrieval and matching."""
