"""The commands apart from playing, and what playing shows on the terminal."""
