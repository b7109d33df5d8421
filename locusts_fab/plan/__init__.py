"""From a config to the tasks that it means, and from tasks to chunks."""
