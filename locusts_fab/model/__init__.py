"""The data types that packages pass to each other, without logic beyond questions about themselves."""
