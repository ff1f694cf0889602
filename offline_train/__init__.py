"""How models are made: corpora, rendering, datasets, recipes, evaluation, export."""

import engine.system.privacy  # noqa: F401  # before any library that would call home
