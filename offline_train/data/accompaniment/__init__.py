"""Songs on a grid of sixteenths, and crops of them, for the accompanist."""
