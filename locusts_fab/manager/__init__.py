"""The contract with the bash side in templates/: the scripts rendered for it, and the records that it writes."""
