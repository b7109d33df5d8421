"""Command templates: handles, and how a value is quoted for the place where its handle stands."""
