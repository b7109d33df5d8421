# ==== the GPUs of this node =================================================================================
# Only where tasks are to have some: which GPUs we may use, and which of them a slot has for itself.

# which GPUs a program sees
readonly GPU_VARIABLES=(CUDA_VISIBLE_DEVICES ROCR_VISIBLE_DEVICES HIP_VISIBLE_DEVICES)

# read_devices VALUE: set DEVICES to those in a list with commas between, as programs read it: up to the first that is
# none (such as NoDevFiles, where a job has no GPU), each once.
read_devices() {
  local device PARTS
  local -A seen=()
  DEVICES=()
  split "${1//[[:space:]]/}" ,
  for device in "${PARTS[@]}"; do
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
  ((${#CUDA_GPUS[@]} > 0 && ${#ROCR_GPUS[@]} > 0)) || return 0
  own=("${CUDA_GPUS[@]:SLOT*GPUS_PER_TASK:GPUS_PER_TASK}")
  if has_amd; then
    own=("${!own[@]}")
    unset "${GPU_VARIABLES[2]}"
  fi
  export "${GPU_VARIABLES[0]}=${own[*]}" "${GPU_VARIABLES[1]}=${ROCR_GPUS[*]:SLOT*GPUS_PER_TASK:GPUS_PER_TASK}"
}
