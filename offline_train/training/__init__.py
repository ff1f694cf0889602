"""What all trainings share: the loop, settings, recipe files, checkpoints, workers."""
