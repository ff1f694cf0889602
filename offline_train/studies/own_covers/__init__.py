"""A model that plays as a user's own covers do, and three made-up pianists to prove it with."""
