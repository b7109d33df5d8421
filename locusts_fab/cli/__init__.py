"""The command line: arguments in, exit codes out, and what is printed on the way."""
