"""`python -m precision`."""

from precision.cli import main

main()
