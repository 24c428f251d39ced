"""What an operator does with a state folder: look at it, back it up, prune it, and read what was decided."""
