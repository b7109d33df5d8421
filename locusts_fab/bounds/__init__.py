"""What keeps within its bounds: names that stay below a folder, a folder that nothing leads out of, numbers."""
