# ==== the CPUs of this node =================================================================================
# Which CPUs we may use, and how many tasks at a time they are enough for.

# read_numbers LIST: set NUMBERS to those in a list such as 0-3,8, as Linux writes sets of CPUs.
read_numbers() {
  local part number PARTS
  NUMBERS=()
  [[ $1 =~ ^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$ ]] || return 0
  split "$1" ,
  for part in "${PARTS[@]}"; do
    for ((number = 10#${part%-*}; number <= 10#${part#*-}; number++)); do
      NUMBERS+=("$number")
    done
  done
}

# find_cpus: set CPUS to the numbers of those that we may use; where Linux does not say, there are none.
find_cpus() {
  local word list NUMBERS
  CPUS=()
  while read -r word list; do
    if [[ $word == Cpus_allowed_list: ]]; then
      read_numbers "$list"
      CPUS=(${NUMBERS[@]+"${NUMBERS[@]}"})
    fi
  done 2>/dev/null </proc/self/status
}

# find_slots: set SLOTS, unless the config says how many, to how many tasks our CPUs are enough for: those that our job
# was given, or may be used at all.
find_slots() {
  local JOB_CPUS cpus=${#CPUS[@]}
  if ((SLOTS > 0)); then
    readonly SLOTS
    return
  fi
  find_job_cpus
  if ((JOB_CPUS > 0 && (cpus == 0 || JOB_CPUS < cpus))); then
    cpus=$JOB_CPUS
  fi
  SLOTS=$((cpus >= 2 * TASK_CPUS ? cpus / TASK_CPUS : 1))
  if ((GPUS_PER_TASK > 0 && SLOTS > GPUS / GPUS_PER_TASK)); then
    SLOTS=$((GPUS / GPUS_PER_TASK))
  fi
  readonly SLOTS
}
