# ==== the part for SLURM ====================================================================================
# Instead of this part, managers that no scheduler started have detached.sh.

# variables that are only read here, so tasks find them as they were
readonly ONLY_READ='SLURM*'

# find_place: set ELEMENT, the number of this manager in its submit, and NODE, the machine that it runs on.
find_place() {
  ELEMENT=${SLURM_ARRAY_TASK_ID:-0}
  NODE=${SLURMD_NODENAME:-${HOSTNAME:-localhost}}
}

# find_job_cpus: set JOB_CPUS to how many CPUs our job has on this node; 0: not known.
find_job_cpus() {
  JOB_CPUS=0
  [[ ${SLURM_CPUS_ON_NODE-} =~ ^[1-9][0-9]{0,5}$ ]] || return 0
  JOB_CPUS=$SLURM_CPUS_ON_NODE
}

# find_job_memory: lower MEMORY_KB to what our job may use on this node, if it asked for an amount.
find_job_memory() {
  if [[ ${SLURM_MEM_PER_NODE-} =~ ^[1-9][0-9]{0,11}$ ]]; then
    may_have "$((SLURM_MEM_PER_NODE * 1024))"
  elif [[ ${SLURM_MEM_PER_CPU-}x${SLURM_CPUS_ON_NODE-} =~ ^[1-9][0-9]{0,11}x[1-9][0-9]{0,5}$ ]]; then
    may_have "$((SLURM_MEM_PER_CPU * SLURM_CPUS_ON_NODE * 1024))"
  fi
}

# our_job: print the name by which SLURM knows our job and no other; nothing if we are in none. SLURM_JOB_ID would not do:
# the element of an array that starts last keeps the id of the array as its own, and that one means all of them.
our_job() {
  [[ -n ${SLURM_JOB_ID-} ]] || return 0
  printf '%s\n' "${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}"
}

# find_end: set ENDS_AT to when the scheduler will end our job, by the clock of UP; 0: not known, or never. What is set for
# squeue in the variables of the user is not for us.
find_end() {
  local left='' days=0 PARTS
  [[ -n ${SLURM_JOB_ID-} ]] || return
  left=$(
    unset "${!SQUEUE_@}"
    timeout 30 squeue -h -j "$(our_job)" -o %L 2>/dev/null
  )
  [[ $left =~ ^([0-9]+-)?[0-9]+(:[0-9]+)*$ ]] || return # such as UNLIMITED, or there was no answer
  if [[ $left == *-* ]]; then
    days=${left%%-*} left=${left#*-}
  fi
  split "0:0:$left" :
  ENDS_AT=$((UP + ((10#$days * 24 + 10#${PARTS[-3]}) * 60 + 10#${PARTS[-2]}) * 60 + 10#${PARTS[-1]}))
}

# start_again: have our job started once more, on any node, and no other.
start_again() {
  local job
  job=$(our_job)
  if [[ -n $job ]]; then
    scontrol requeue "$job"
  fi
}
