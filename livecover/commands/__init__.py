"""What the command line is made of: options, words, and the commands apart from playing."""
