"""The commands that only look at a swarm."""
