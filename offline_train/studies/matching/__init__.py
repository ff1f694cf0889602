"""Sound and score in one space (``models.papers.embedding``): training, retrieval, matching."""
