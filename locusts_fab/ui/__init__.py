"""What a person sees on a terminal; rich draws it."""
