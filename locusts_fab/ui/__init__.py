"""What a person sees on a terminal, drawn by rich."""
