"""Times that both sides rely on: rendered into the managers, and used to judge them here."""

from __future__ import annotations

#: Seconds between two heartbeats of a manager.
BEAT_S = 10
#: A heartbeat no older than this many seconds is fresh.
FRESH_S = 4 * BEAT_S
#: A heartbeat that stands still for so many seconds, by the observer's own clock, means a dead manager.
STALE_S = 300
#: On TERM, running tasks have so many seconds to end by themselves before they are ended.
GRACE_S = 5
#: A slot looks for the fence before each task; after so many seconds each has seen it, or has begun a task by then.
FENCE_S = 1.0
