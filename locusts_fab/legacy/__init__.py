"""The original locusts: its launch(), its parameter file, and how one becomes a locusts.toml."""
