"""The checks of a target before anything is sent there."""
