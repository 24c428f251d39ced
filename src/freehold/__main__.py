"""`python -m freehold`."""

from freehold.cli import main

main()
