"""The results: outputs put in their places, and the files that list everything."""
