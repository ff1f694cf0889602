"""The piano that ships, and the synthesizers that play it."""
