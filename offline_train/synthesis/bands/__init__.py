"""What a band plays: players, grooves, MMA's accompaniments."""
