"""What every room knows: errors, settings, notes, the note tracker, taps."""
