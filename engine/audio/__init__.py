"""Where sound comes from. Here: opening a source by what the user typed."""
