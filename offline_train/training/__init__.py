"""What every training has in common: runs, checkpoints, learners, losses, data parallel."""
