"""The custom environment: one tree that all tasks share, replicated there and merged back."""
