"""What only SLURM knows."""
