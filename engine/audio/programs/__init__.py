"""What one program plays, as a source."""
