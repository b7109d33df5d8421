"""Who starts and stops managers where there is no scheduler: we do, detached from the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from locusts_fab.errors import HostError
from locusts_fab.layout import Environment, manager_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from locusts_fab.hosts.base import Host
    from locusts_fab.state.schema import Submission

# $1 the environment, $2 the submission, $3 the manager. The folder made first is the token: whoever repeats this,
# after a reply that was lost, starts nothing twice.
_START = r"""
cd -- "$1" 2>&1 || exit 3
if ! complaint=$(mkdir "exec/started.$2" 2>&1); then
  [[ -d exec/started.$2 ]] && exit 0
  printf '%s\n' "$complaint"
  exit 3
fi
detach=(nohup)
command -v setsid >/dev/null && detach=(setsid nohup)
"${detach[@]}" bash exec/start.sh "$3" </dev/null >>"exec/logs/$3.out" 2>&1 &
pid=$!
printf '%s\n' "$pid" >"exec/started.$2/pid"
for ((i = 0; i < 50; i++)); do
  [[ -e exec/beats/$3 ]] && exit 0
  kill -0 "$pid" 2>/dev/null || break
  sleep 0.1
done
kill -0 "$pid" 2>/dev/null && exit 0
[[ -e exec/beats/$3 ]] && exit 0
tail -n 5 "exec/logs/$3.out"
exit 4
"""
_NO_TOKEN = 3

# $1 the environment; then the submissions that shall take no more tasks.
FENCE = r"""
cd -- "$1/exec" 2>/dev/null || exit 0
shift
for submission in "$@"; do
  : >"stop.$submission" || exit 1
done
"""

# $1 the environment; then managers. Their main process is asked to leave.
_STOP = r"""
cd -- "$1" 2>/dev/null || exit 0
shift
for id in "$@"; do
  for process in /proc/[0-9]*; do
    line=$(tr '\0' ' ' 2>/dev/null <"$process/cmdline")
    if [[ $line == *"/exec/manager.sh $id " && $line == *"$PWD/exec/"* ]]; then
      kill -TERM "${process#/proc/}" 2>/dev/null
    fi
  done
done
exit 0
"""

# $1 the environment; then managers whose main process is no more. What they left running is ended, and they are marked
# as having left, so that nobody waits for them. Slots go first, or they would take the end of their tasks for a
# failure; tasks are what else is in the manager's session and at home in this environment.
_BURY = r"""
cd -- "$1" 2>/dev/null || exit 0
real=$(pwd -P) script=$PWD/exec/manager.sh
shift
for id in "$@"; do
  IFS=$'\t' read -r _ _ _ leader _ <"exec/cache/$id.tsv" || continue
  tasks=()
  for process in /proc/[0-9]*; do
    read -r line <"$process/stat" || continue
    read -r _ _ _ session _ <<<"${line##*) }"
    [[ $session == "$leader" ]] || continue
    if [[ $(tr '\0' ' ' <"$process/cmdline") == *"$script $id "* ]]; then
      kill -KILL "${process#/proc/}"
    elif [[ $(readlink "$process/cwd") == "$real"/* ]]; then
      tasks+=("${process#/proc/}")
    fi
  done 2>/dev/null
  ((${#tasks[@]} > 0)) && kill -KILL "${tasks[@]}" 2>/dev/null
  read -r run <"exec/beats/$id.run"
  [[ $run == */locusts.?????? && -O $run ]] && rm -rf -- "$run"
  : >"exec/beats/$id.end"
done 2>/dev/null
exit 0
"""

# $1 the environment; then managers.
MARK_AS_LEFT = r"""
cd -- "$1" 2>/dev/null || exit 0
shift
for id in "$@"; do
  : >"exec/beats/$id.end"
done
"""

# $1 the environment, $2 the submission. Is the process that was started for it still there?
_IS_ALIVE = r"""
cd -- "$1" 2>/dev/null || exit 1
read -r pid 2>/dev/null <"exec/started.$2/pid" || exit 1
[[ $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") == *"/"@(start|manager)".sh $2-0 "* ]]
"""


@dataclass(frozen=True)
class Detached:
    """Managers that run by themselves on a host, one for each submit."""

    host: Host
    environment: Environment

    def start(self, submission: int, _token: str, _chunks: int) -> str:
        """Start the manager of a submission; if it was started before, do nothing.

        :returns: nothing that needs to be remembered.
        :raises HostError: it ended at once, or the environment cannot be written.
        """
        name = manager_id(submission)
        result = self.host.run(_START, self.environment.root, str(submission), name)
        if result.exit_status != 0:
            cause = f"{self.environment.root} can be written" if result.exit_status == _NO_TOKEN else "`setup` works"
            raise HostError(
                f"{self.host.name}: the manager did not start:\n{result.text.strip() or result.stderr.strip()}",
                hint=f"see that {cause} there, then submit again",
                stderr=result.stderr,
            )
        return ""

    def fence(self, submissions: Iterable[Submission]) -> None:
        """Let the managers of earlier submissions take no more tasks; what they run may end.

        :raises HostError: the target cannot be written.
        """
        result = self.host.run(FENCE, self.environment.root, *[str(each.number) for each in submissions])
        if result.exit_status != 0:
            raise HostError(f"{self.host.name}: {self.environment.root} cannot be written", stderr=result.stderr)

    def stop(self, managers: Iterable[str], _jobs: Iterable[str]) -> None:
        """Ask managers to leave; after a grace they end their tasks."""
        self.host.run(_STOP, self.environment.root, *managers)

    def bury(self, managers: Iterable[str]) -> None:
        """End what managers left running that are no more, and mark them as having left."""
        self.host.run(_BURY, self.environment.root, *managers)

    def find(self, _submission: Submission) -> str:
        """Nobody calls what was started by a name."""
        return ""

    def is_alive(self, submission: Submission) -> bool:
        """Tell whether what was started for a submission is still there, though no manager has said anything yet."""
        return self.host.run(_IS_ALIVE, self.environment.root, str(submission.number)).exit_status == 0
