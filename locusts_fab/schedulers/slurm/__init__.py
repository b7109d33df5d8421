"""The parts that are special to SLURM."""
