# ==== the part for SLURM ====================================================================================
# Instead of this part, managers that no scheduler started have detached.sh.

# variables that are only read here, so tasks find them as they were
readonly ONLY_READ='SLURM*'

# find_place: set ELEMENT, the number of this manager in its submit, and NODE, the machine that it runs on.
find_place() {
  ELEMENT=${SLURM_ARRAY_TASK_ID:-0}
  NODE=${SLURMD_NODENAME:-${HOSTNAME:-localhost}}
}

# start_again: have our job started once more, on any node.
start_again() {
  if [[ -n ${SLURM_JOB_ID-} ]]; then
    scontrol requeue "$SLURM_JOB_ID"
  fi
}
