"""The search for settings: grids of short trainings, and an ablation."""
