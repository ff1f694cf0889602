"""What is heard by sixteenth of a beat: posteriors, attacks, and a summary of a step."""
