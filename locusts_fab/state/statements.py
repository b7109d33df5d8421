"""What a submit, a retry and a collect ask and change in one statement, for there may be a million tasks.

`config` has the tasks of the config, `chosen` those that are to run; `Planning` fills both.
"""

from __future__ import annotations


def _filled(query: str) -> str:
    """Return a query about the tasks of the config that are known.

    A fingerprint is empty if it was learned from the target, which has no list of inputs.
    """
    is_same = "(c.fingerprint = n.mark OR (c.fingerprint, c.command, c.outputs) = (x'', n.command, n.outputs))"
    known = "config n JOIN tasks t USING (id) JOIN commands c USING (number)"
    return query.replace("KNOWN", known).replace("IS_SAME", is_same)


#: The done tasks of the config that it would run differently now, or with inputs that have changed.
CHANGED_TASKS = _filled(
    "SELECT id FROM KNOWN WHERE t.state = 'done' AND (NOT IS_SAME OR t.planned IS NOT NULL"
    " OR coalesce(c.stamp != nullif(n.stamp, x''), 0)) ORDER BY t.number"
)
#: The tasks that are known still, though the config does not mean them any more.
GONE_TASKS = "SELECT id FROM tasks WHERE state != 'pending' AND id NOT IN (SELECT id FROM config) ORDER BY number"
#: Of what is done or runs, and was not chosen to run again: what the config has other outputs for, or has no more, and
#: what came to no folder of its own.
RUN_OTHERWISE = (
    "SELECT t.number FROM tasks t JOIN commands c USING (number) LEFT JOIN config n USING (id)"
    " WHERE t.state IN ('done', 'running') AND coalesce(t.planned, c.outputs) IS NOT n.outputs"
    " AND (NOT t.collected OR t.place = x'2e') AND t.number NOT IN (SELECT number FROM chosen)"
)
#: What a submit is to take, by one statement: there may be a million tasks.
CHOOSE = (
    "INSERT INTO chosen SELECT t.number FROM config JOIN tasks t USING (id)"  # noqa: S608  # nothing from outside
    f" WHERE (instr(:states, t.state) OR (:changed AND id IN ({CHANGED_TASKS})))"
    " AND (NOT :only OR id IN (SELECT id FROM wanted))"
    " AND (t.state != 'pending' OR :live IS NULL OR t.submission IS NOT :live)"
    " ORDER BY t.number LIMIT :limit"
)
#: The tasks of which something came, and whose sandboxes are not in the environment that is there.
STRANDED = (
    "SELECT count(*) FROM tasks t WHERE t.state IN ('done', 'failed') AND t.collected"
    " AND (substr(t.place, 1, length(:below)) = :below OR t.number IN (SELECT task FROM own_files))"
    " AND (:there IS NULL OR t.claim IS NULL OR substr(t.claim, -length(:there)) != :there)"
)
STRANDED_BUT_CHOSEN = f"{STRANDED} AND t.number NOT IN (SELECT number FROM chosen)"  # noqa: S608  # nothing from outside
#: What was planned may still run, or have run: what is heard of it is about the outputs that it had then.
KEEP_PLANNED = _filled(
    "UPDATE tasks SET planned = (SELECT outputs FROM commands c WHERE c.number = tasks.number)"
    " WHERE planned IS NULL AND submission > 0 AND state IN ('pending', 'failed')"
    " AND number IN (SELECT number FROM KNOWN WHERE NOT IS_SAME)"
)
#: New, pending and failed tasks take over what the config says. Where it says what is known, values may be called other
#: names now, or others have come that nothing uses.
TAKE_COMMANDS = _filled(
    "INSERT OR REPLACE INTO commands SELECT t.number, n.command, n.inputs, n.outputs, n.mark, n.vals, c.stamp"
    " FROM config n JOIN tasks t USING (id) LEFT JOIN commands c USING (number)"
    " WHERE c.number IS NULL OR (IS_SAME AND (c.fingerprint != n.mark OR c.vals IS NOT n.vals))"
    " OR (t.state IN ('pending', 'failed') AND NOT IS_SAME)"
)


#: What waits belongs to a new submission.
TAKE_PENDING = (
    "UPDATE tasks SET submission = :made, since = CASE WHEN planned IS NULL THEN since ELSE :made END, planned = NULL"
    " WHERE state = 'pending'"
)
TAKE_CHOSEN = TAKE_PENDING.replace("'pending'", "'pending' AND number IN (SELECT number FROM chosen)")
#: Failed tasks wait again.
RESET_FAILED = (
    "UPDATE tasks SET state = 'pending', reason = 'to be retried', collected = 0, lost = min(lost, ?)"
    " WHERE state = 'failed'{}"
)
#: Chosen tasks that are done wait again; what was heard of them before the next submit counts no more.
RESET_DONE = (
    "UPDATE tasks SET state = 'pending', reason = 'to be run again', collected = 0, lost = 0,"
    " planned = coalesce(planned, (SELECT outputs FROM commands c WHERE c.number = tasks.number))"
    " WHERE state = 'done' AND number IN (SELECT number FROM chosen)"
)
#: So does the task that comes after all others, if others run that it does not know of; what runs of it now, or is
#: heard of it later, is no sum of them.
RESET_FINAL = (
    "UPDATE tasks SET state = 'pending', reason = 'waits for the other tasks', collected = 0,"
    " planned = coalesce(planned, (SELECT outputs FROM commands c WHERE c.number = tasks.number)),"
    " since = 1 + (SELECT coalesce(max(number), 0) FROM submissions)"
    " WHERE id IS ? AND state IN ('done', 'failed', 'running')"
)
#: The same if others were taken later than it was, as while the config had no such task. Without the plus, all ids of
#: the config would be looked up before the numbers of submissions are compared.
RESET_OLD_FINAL = (
    f"{RESET_FINAL} AND EXISTS"  # noqa: S608  # nothing from outside
    " (SELECT 1 FROM tasks t WHERE t.submission > tasks.submission AND +t.id IN (SELECT id FROM config))"
)
#: The inputs of the tasks of a submission are staged as they are now.
NOTE_STAMPS = (
    "UPDATE commands SET stamp = (SELECT nullif(n.stamp, x'') FROM config n JOIN tasks t USING (id)"
    " WHERE t.number = commands.number) WHERE number IN (SELECT number FROM tasks WHERE submission = ?)"
)
