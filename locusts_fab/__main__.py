"""`python -m locusts_fab` is the same as `locusts`."""

from .program import main

main()
