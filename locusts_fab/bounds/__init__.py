"""What keeps within its bounds: names below a folder, what nothing leads out of, and what others may send."""
