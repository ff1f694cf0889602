"""Pianos: sampled, modelled, and the one that ships."""
