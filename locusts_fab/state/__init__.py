"""What this machine knows of a swarm: the ledger, its lock, and the poll that keeps it up to date."""
