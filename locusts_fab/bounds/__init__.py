"""What keeps within its bounds: names that stay below a folder, and a folder that nothing leads out of."""
