"""A real sshd and a real SLURM on this machine, and tests that the two of them work."""
