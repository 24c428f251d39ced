"""Freehold: the way out of a rented model.

The package imports nothing heavy: `freehold.cli` is the command line, `freehold.app` the composition root.
"""

__version__ = "0.1.0"
