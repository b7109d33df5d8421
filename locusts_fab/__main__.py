"""`python -m locusts_fab` is the same as `locusts`."""

from locusts_fab.cli.program import main

main()
