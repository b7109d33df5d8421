# ==== what a task is told ===================================================================================
# A task finds in its environment which one it is, and what it may use. Most of that is exported once, by the main process
# or by a slot; what changes from task to task is assigned in task.sh, which costs no fork.

# how many threads a program starts; where the node or `setup` has set one of them, if only to nothing, it stays
readonly THREAD_VARIABLES=(OMP_NUM_THREADS OPENBLAS_NUM_THREADS MKL_NUM_THREADS)

# which GPUs a program sees
readonly GPU_VARIABLES=(CUDA_VISIBLE_DEVICES ROCR_VISIBLE_DEVICES HIP_VISIBLE_DEVICES)

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
  give_gpus
}

# read_devices VALUE: set DEVICES to those in a list with commas between, as programs read it: up to the first that is
# none (such as NoDevFiles, where a job has no GPU), each once.
read_devices() {
  local given=() device
  local -A seen=()
  DEVICES=()
  IFS=, read -r -a given <<<"${1//[[:space:]]/}"
  for device in ${given[@]+"${given[@]}"}; do
    [[ -n $device && $device != [Nn]o* && $device != -* ]] || return 0
    [[ -n ${seen[$device]-} ]] || DEVICES+=("$device")
    seen[$device]=1
  done
}

# has_amd: succeed if the GPUs of this machine are AMD's. There, lists for CUDA and HIP count what the one for ROCR has left.
has_amd() {
  [[ -e /dev/kfd && ! -e /dev/nvidiactl ]]
}

# find_gpus: set CUDA_GPUS and ROCR_GPUS to what this manager may use: what the scheduler, or who started us, has set; or
# the first GPUS that there are. Leave if that is too little for SLOTS: a task must never share what it takes for its own.
find_gpus() {
  local name number DEVICES
  local -A lists=()
  CUDA_GPUS=() ROCR_GPUS=()
  ((GPUS_PER_TASK > 0)) || return 0
  for name in "${GPU_VARIABLES[@]}"; do
    [[ -z ${GIVEN[$name]+given} ]] || lists[${name%%_*}]=" ${GIVEN[$name]}"
  done
  if ((${#lists[@]} == 0)); then
    for ((number = 0; number < GPUS; number++)); do
      CUDA_GPUS+=("$number")
    done
    ROCR_GPUS=("${CUDA_GPUS[@]}")
  else
    read_devices "${lists[CUDA]-${lists[HIP]-${lists[ROCR]-}}}"
    CUDA_GPUS=(${DEVICES[@]+"${DEVICES[@]}"})
    read_devices "${lists[ROCR]-${lists[HIP]-${lists[CUDA]-}}}"
    ROCR_GPUS=(${DEVICES[@]+"${DEVICES[@]}"})
  fi
  has_amd && CUDA_GPUS=(${ROCR_GPUS[@]+"${ROCR_GPUS[@]}"})
  number=$((${#CUDA_GPUS[@]} < ${#ROCR_GPUS[@]} ? ${#CUDA_GPUS[@]} : ${#ROCR_GPUS[@]}))
  if ((number < SLOTS * GPUS_PER_TASK)); then
    leave "$SLOTS slots x $GPUS_PER_TASK gpus_per_task are $((SLOTS * GPUS_PER_TASK)) GPUs, but only $number can be seen on this node (${GPU_VARIABLES[0]}, ${GPU_VARIABLES[1]})"
  fi
}

# give_gpus: export this slot's own part of the GPUs.
give_gpus() {
  local IFS=, own
  ((GPUS_PER_TASK > 0 && ${#CUDA_GPUS[@]} > 0 && ${#ROCR_GPUS[@]} > 0)) || return 0
  own=("${CUDA_GPUS[@]:SLOT*GPUS_PER_TASK:GPUS_PER_TASK}")
  if has_amd; then
    own=("${!own[@]}")
    unset "${GPU_VARIABLES[2]}"
  fi
  export "${GPU_VARIABLES[0]}=${own[*]}" "${GPU_VARIABLES[1]}=${ROCR_GPUS[*]:SLOT*GPUS_PER_TASK:GPUS_PER_TASK}"
}
