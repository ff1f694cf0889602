"""From posteriors to what is played: notes, density, hands, pedal."""
