"""A worked example of a package that adds to Freehold: an alarm and a scorer."""
