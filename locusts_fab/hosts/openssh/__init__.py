"""What OpenSSH makes of its config, and of the parts of it that programs or files of their own stand behind."""
