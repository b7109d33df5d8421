"""What keeps within its bounds: names below a folder, what nothing leads out of, numbers, and what others may send."""
