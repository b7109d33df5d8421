"""Machines that run scripts: this one, and hosts over SSH, where one login carries scripts and files."""
