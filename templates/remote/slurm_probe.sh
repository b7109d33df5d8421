#!/usr/bin/env bash
#
# Looks at SLURM, for `locusts check`: its programs, its partitions, and what sbatch says of a job, which it does not
# submit. It is a part of probe.sh, whose functions `say` and `within` it uses, after slurm_surroundings.sh.
#
#   usage: bash slurm_probe.sh JOB ELEMENTS
#
#     JOB        the job script; empty: do not ask sbatch
#     ELEMENTS   how many elements its array has
#
#   prints: by `say`, a key and a value for each thing that was found
#   exits with: 0

job=$1 elements=$2

# look_at_programs: report which are missing; fail if some are.
look_at_programs() {
  local program missing=''
  for program in sbatch squeue scancel; do
    type -P "$program" >/dev/null || missing+=", $program"
  done
  say slurm_missing "${missing#, }"
  [[ -z $missing ]]
}

# look_at_queue: report, and fail, if the scheduler does not answer.
look_at_queue() {
  if ! within 20 squeue -h -a -n locusts-check -o %i; then
    say slurm_silent "${COMPLAINT:-squeue failed}"
    return 1
  fi
}

# look_at_partitions: report PARTITION|UP|TIME LIMIT|NODES|CPUS|MEGABYTES|STATE, a line for each group of nodes that are
# alike.
look_at_partitions() {
  within 20 sinfo -h -e -a -o '%P|%a|%l|%D|%c|%m|%t'
  say partitions "$SAID"
  within 20 scontrol show config
  limit=$(printf '%s\n' "$SAID" | sed -n 's/^MaxArraySize *= *//p')
  say array_limit "$limit"
}

# look_at_job: report what sbatch says of it; it does so on stderr, whether it would take the job or not. As when the
# job is started, no more elements are asked for than an array may have.
look_at_job() {
  if [[ $limit =~ ^[1-9][0-9]{0,8}$ ]] && ((elements > limit)); then
    elements=$limit
  fi
  within 60 sbatch --test-only --job-name=locusts-check --array="0-$((elements - 1))" --output=/dev/null \
    < <(printf '%s' "$job")
  say sbatch_status "$?"
  say sbatch "$COMPLAINT"
}

[[ -z ${my_unset-} ]] || say slurm_unset "$my_unset"
if look_at_programs && look_at_queue; then
  look_at_partitions
  [[ -z $job ]] || look_at_job
fi
