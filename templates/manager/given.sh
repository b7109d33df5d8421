# ==== what a task is told ===================================================================================
# A task finds in its environment which one it is, and what it may use. Most of that is exported once, by the main process
# or by a slot; what changes from task to task is assigned in task.sh, which costs no fork.

# how many threads a program starts; where the node or `setup` has set one of them, if only to nothing, it stays
readonly THREAD_VARIABLES=(OMP_NUM_THREADS OPENBLAS_NUM_THREADS MKL_NUM_THREADS)

# give_all: export what is the same for all tasks of this manager.
give_all() {
  local name
  export LOCUSTS_SWARM=$SWARM_NAME LOCUSTS_NODE=$NODE LOCUSTS_CPUS=$TASK_CPUS
  for name in "${THREAD_VARIABLES[@]}"; do
    [[ -n ${GIVEN[$name]+given} ]] || export "$name=$TASK_CPUS"
  done
}

# give_slot: export what is the same for all tasks of this slot, and let the names of the others be known.
give_slot() {
  export LOCUSTS_SLOT=$SLOT LOCUSTS_TASK='' LOCUSTS_ATTEMPT=''
  ((GPUS_PER_TASK == 0)) || give_gpus
}
