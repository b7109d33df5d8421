"""The one script that looks at a target for `check`, and the reading of what it says.

It leaves everything as it was: folders that it makes to see whether they can be made, it removes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locusts_fab.schedulers.slurm.partitions import SINFO_FORMAT
from locusts_fab.target import RESOLVE_ROOT

if TYPE_CHECKING:
    from locusts_fab.hosts.base import Host

#: Longer than all the time-outs in the script together; a file system that hangs makes it wait for ever.
_PATIENCE_S = 180

# $1 the root, as the config has it; $2 the scratch folder, if it is an absolute path; $3 the lines of `setup`;
# $4 the container's runtime, $5 its image; $6 a folder below the root that this machine has made there, $7 what it
# wrote into it; $8 the scheduler, $9 the job script, ${10} how many elements its array has. What is empty is not
# looked at.
_LOOK = r"""
exec 2>/dev/null # what is printed there before this is the start-up files' own, and looked at

# say KEY VALUE: one thing that was found. NUL ends each part, for values hold anything else.
say() {
  printf '%s\0%s\0' "$1" "$2"
}

# within SECONDS COMMAND...: what it prints on both streams; says so if it takes too long.
within() {
  local status
  timeout "$@" 2>&1
  status=$?
  ((status == 124)) && printf 'no answer within %s s' "$1"
  return "$status"
}

# try FOLDER: make it, and in it a folder TRIED with a file in it; COMPLAINT says why not. `untry` removes all of that.
try() {
  TRIED='' FIRST=$1
  while [[ ! -e $FIRST && ! -L $FIRST && $FIRST == */* ]]; do # what is there already stays
    FIRST=${FIRST%/*}
  done
  COMPLAINT=$(umask 077 && mkdir -p -- "$1/" 2>&1) || return
  COMPLAINT=$(umask 077 && mktemp -d -- "$1/.locusts-check.XXXXXX" 2>&1) || return
  TRIED=$COMPLAINT
  # a file of some size, for a quota may be used up where a folder can still be made
  COMPLAINT=$({ printf '%65536s' '' >"$TRIED/file"; } 2>&1)
}

# untry FOLDER: remove what `try` has made.
untry() {
  local folder=$1
  [[ -n $TRIED ]] && rm -rf -- "$TRIED"
  while [[ $folder != "$FIRST" && $folder == */* ]]; do
    rmdir -- "$folder"
    folder=${folder%/*}
  done
}

look_at_tools() {
  local tool folder missing=''
  for tool in cat cp head ln mkdir mktemp mv rm rmdir sed sleep tail timeout tr; do
    type -P "$tool" >/dev/null || missing+=", $tool"
  done
  if folder=$(mktemp -d); then
    : >"$folder/file"
    ln -T -- "$folder/file" "$folder/link" || missing+=', ln -T'
    cp -RL --preserve=timestamps -- "$folder/file" "$folder/copy" || missing+=', cp --preserve=timestamps'
    rm -rf -- "$folder"
  else
    missing+=', mktemp -d'
  fi
  say missing "${missing#, }"
  [[ $(find / -maxdepth 0 -printf '%y') == d ]] && say find yes
  type -P rsync >/dev/null && say rsync "$(rsync --version 2>&1 | head -n 1)"
}

look_at_root() {
  local root
  if ! root=$(resolve "$1") || [[ $root != /* ]]; then
    say root_complaint "${root:-it comes to nothing}"
    return
  fi
  root=${root%/}
  say root "$root"
  if [[ -n $2 && $(cat -- "$root/$2/here") == "$3" ]]; then
    say letter read
    (umask 077 && printf '%s' "$3" >"$root/$2/there")
  fi
  if try "$root"; then
    # a second link of one name must fail: this is how managers take chunks
    ln -- "$TRIED/file" "$TRIED/link" && [[ $TRIED/file -ef $TRIED/link ]] &&
      ! ln -- "$TRIED/file" "$TRIED/link" && say links yes
    say filesystem "$(stat -f -c '%a %S %c %d %T' -- "$TRIED")"
  else
    say root_complaint "$COMPLAINT"
  fi
  untry "$root"
}

look_at_scratch() {
  try "$1" || say scratch_complaint "$COMPLAINT"
  untry "$1"
}

look_at_container() {
  say runtime "$(type -P "$1")"
  [[ $2 != /* || -e $2 ]] && say image yes
}

look_at_slurm() {
  local tool said missing=''
  for tool in sbatch squeue scancel; do
    type -P "$tool" >/dev/null || missing+=", $tool"
  done
  say slurm_missing "${missing#, }"
  [[ -z $missing ]] || return
  if ! said=$(within 20 squeue -h -n locusts-check -o %i); then
    say slurm_silent "${said:-squeue failed}"
    return
  fi
  say partitions "$(timeout 20 sinfo -h -e -a -o '@FORMAT@')"
  say array_limit "$(timeout 20 scontrol show config | sed -n 's/^MaxArraySize *= *//p')"
  [[ -n $1 ]] || return
  said=$(printf '%s' "$1" |
    within 60 sbatch --test-only --job-name=locusts-check --array="0-$(($2 - 1))" --output=/dev/null)
  say sbatch_status "$?"
  say sbatch "$said"
}

say shell "${SHELL-}"
say bash "${BASH_VERSINFO[0]}.${BASH_VERSINFO[1]}.${BASH_VERSINFO[2]}"
look_at_tools
look_at_root "$1" "$6" "$7"
[[ -n $2 ]] && look_at_scratch "$2"
# extglob is on, for the lines may switch it on by themselves
[[ -n $3 ]] && say setup_complaint "$(printf '%s\n' "$3" | bash -O extglob -n 2>&1)"
[[ -n $4 ]] && look_at_container "$4" "$5"
[[ $8 == slurm ]] && look_at_slurm "$9" "${10}"
say end ''
exit 0
""".replace("@FORMAT@", SINFO_FORMAT)


@dataclass(frozen=True)
class Questions:
    """What the script shall look at; what is empty it does not.

    :param root: the root, as the config has it.
    :param scratch: the scratch folder, if it is an absolute path.
    :param setup: the lines of `setup`.
    :param letter: name of a folder below the root that this machine has made, and what it wrote into it.
    :param job: the job script.
    :param elements: how many elements the job's array has.
    """

    root: str
    scratch: str = ""
    setup: str = ""
    runtime: str = ""
    image: str = ""
    letter: tuple[str, str] = ("", "")
    scheduler: str = "none"
    job: str = ""
    elements: int = 1


@dataclass(frozen=True)
class Seen:
    """What was seen there.

    :param facts: by the keys that the script says them under; what could not be looked at has none.
    :param noise: what start-up files printed.
    """

    facts: dict[str, str]
    noise: str = ""

    @property
    def is_whole(self) -> bool:
        """The script came to its end."""
        return "end" in self.facts


def look(host: Host, questions: Questions) -> Seen:
    """Look at a target, in one round trip.

    :raises HostError: it cannot be reached, or bash does not run there.
    """
    result = host.run(
        f"resolve() (\n{RESOLVE_ROOT}\n)\n{_LOOK}",
        questions.root,
        questions.scratch,
        questions.setup,
        questions.runtime,
        questions.image,
        *questions.letter,
        questions.scheduler,
        questions.job,
        str(questions.elements),
        timeout_s=_PATIENCE_S,
    )
    words = [os.fsdecode(word) for word in result.stdout.split(b"\0")]
    noise = os.fsdecode(result.noise) + result.stderr
    return Seen(dict(zip(words[::2], words[1::2], strict=False)), noise.strip())
