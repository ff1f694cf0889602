"""What ``live`` hears of songs, kept for the networks that learn from it."""
