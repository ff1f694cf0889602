"""How models are made: corpora, rendering, datasets, recipes, evaluation, export."""

import engine.privacy  # noqa: F401  # before any library that would call home
