"""How models are made: corpora, rendering, datasets, recipes, evaluation, export."""
