"""Arguments in, exit codes out, and what is printed on the way."""
