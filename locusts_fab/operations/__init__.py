"""What can be done with a swarm, a module for each verb."""
