"""What a process and its machine have: its end, its environment, the names of its host, files that others made."""
