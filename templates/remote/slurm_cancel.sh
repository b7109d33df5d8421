#!/usr/bin/env bash
#
# Cancels the jobs of submissions, or what of them still waits.
#
#   usage: bash slurm_cancel.sh WHICH LATEST [NAME]...
#
#     WHICH    "waiting": what runs goes on; else all is cancelled
#     LATEST   the id of the latest job; empty: it is not known
#     NAME     the name of a job, which no other job has
#
#   prints: what squeue and scancel complain of
#   exits with: 0 if no such job is left, but for what may run; 1 if some may be
#
# All but the latest are looked for by their names. So nothing is asked for jobs that are long over, of which there may be
# many, and whose ids may belong to others by now; and jobs are found of which nobody learned the id.

readonly OVER='Invalid job id|already completing or completed'
which=$1 latest=$2
shift 2
only=()
[[ $which != waiting ]] || only=(--state=PENDING)

# named NAME...: print the ids of the jobs that have one of these names; fail, and say why, if the scheduler is silent.
named() {
  local IFS=,
  timeout -k 5 30 squeue -h -a -t all -n "$*" -o %F || said_nothing squeue "$?"
}

# said_nothing PROGRAM STATUS: say so if a program took too long; fail.
said_nothing() {
  (($2 != 124)) || printf '%s: no answer within 30 s\n' "$1" >&2
  return "$2"
}

# cancel JOB: fail, and say why, if it may go on. That it is over, or that nobody knows it any more, is no reason; but an
# array may be over in part, so what scancel says besides counts.
cancel() {
  local said status
  said=$(timeout -k 5 30 scancel ${only[@]+"${only[@]}"} "$1" 2>&1)
  status=$?
  if ((status == 0)) || is_over "$said"; then
    return 0
  fi
  [[ -z $said ]] || printf '%s\n' "$said" >&2
  said_nothing scancel "$status"
}

# is_over TEXT: succeed if scancel says that a job is over, and nothing else.
is_over() {
  local others
  others=$(printf '%s\n' "$1" | grep -E '^(scancel|slurm)' | grep -vE "$OVER")
  [[ -z $others && $1 =~ $OVER ]]
}

failed=
{
  jobs=
  if (($# > 0)); then
    jobs=$(named "$@") || failed=yes
  fi
  for job in $(printf '%s\n' "$latest" "$jobs" | sed -n 's/^ *\([0-9][0-9]*\) *$/\1/p' | sort -nu); do
    cancel "$job" || {
      failed=$?
      ((failed != 124)) || break # it is silent; each other job would take as long
    }
  done
} 2>&1
[[ -z $failed ]]
