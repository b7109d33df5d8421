"""`python -m locusts_fab` is the same as `locusts`."""

from locusts_fab.program import main

main()
