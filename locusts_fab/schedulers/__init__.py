"""How managers are started, stopped and watched over: by ourselves, or by a scheduler."""
