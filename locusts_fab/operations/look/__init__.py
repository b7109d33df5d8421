"""The operations that only look at a swarm: what has become of it, of its tasks, and of one of them."""
