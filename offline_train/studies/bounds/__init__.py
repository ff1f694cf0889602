"""How far covers could come: what the music itself leaves open."""
