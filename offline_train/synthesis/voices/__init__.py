"""Voices that sing: speech synthesizers, stretched to a tune."""
