"""The operations on a swarm, a module for each verb."""
