"""Judge a target before anything is sent there."""
