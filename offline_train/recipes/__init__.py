"""The trainings of the models that ship, and their jobs on a cluster."""
