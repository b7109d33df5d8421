"""Run a huge number of small shell tasks here or on a SLURM cluster, and get back exactly the outputs you named."""
