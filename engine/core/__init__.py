"""What every room shares: errors, settings, notes, the note tracker, taps."""
