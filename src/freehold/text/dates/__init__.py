"""Dates, times and ids in texts: what will read differently tomorrow although nothing else changed."""
