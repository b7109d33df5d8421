"""The commands, a module each. Each imports what it needs when it runs: to list them all, none of that is loaded."""
