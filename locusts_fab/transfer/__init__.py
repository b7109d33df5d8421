"""How files travel between this machine and an environment: linked, through a shared folder, over SSH."""
