# ==== the CPUs of this node =================================================================================
# Which CPUs we may use, and which of them a slot has for itself.

# read_numbers LIST: set NUMBERS to those in a list such as 0-3,8, as Linux writes sets of CPUs.
read_numbers() {
  local parts part number
  NUMBERS=()
  [[ $1 =~ ^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$ ]] || return 0
  IFS=, read -r -a parts <<<"$1"
  for part in "${parts[@]}"; do
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

# is_confined: succeed unless our job has fewer CPUs than it may use, so that nobody knows which are its own. One CPU of
# a scheduler may be several of Linux: the threads of a core.
is_confined() {
  local list='' NUMBERS JOB_CPUS=0
  find_job_cpus
  read -r list 2>/dev/null </sys/devices/system/cpu/cpu0/topology/thread_siblings_list
  read_numbers "$list"
  ((JOB_CPUS == 0 || JOB_CPUS * (${#NUMBERS[@]} > 1 ? ${#NUMBERS[@]} : 1) >= ${#CPUS[@]}))
}

# may_pin: leave if slots shall have CPUs of their own and cannot have them.
may_pin() {
  local needed=$((SLOTS * TASK_CPUS))
  if ((PIN == 0)); then
    return
  elif ! type -P taskset >/dev/null; then
    leave "pin = true needs taskset, of util-linux, which is not on this node"
  elif ((needed > ${#CPUS[@]})); then
    leave "pin = true: $SLOTS slots x $TASK_CPUS cpus_per_task are $needed CPUs, but only ${#CPUS[@]} may be used on this node"
  elif ! is_confined; then
    leave "pin = true: the scheduler does not keep jobs to their CPUs on this node, so nobody knows which are ours"
  fi
}

# pin_slot: bind this slot, and by that its tasks, to its own CPUs.
pin_slot() {
  local IFS=, own
  ((PIN && (SLOT + 1) * TASK_CPUS <= ${#CPUS[@]})) || return 0
  own="${CPUS[*]:SLOT*TASK_CPUS:TASK_CPUS}" # in quotes, or bash 4 puts blanks between
  taskset -cp "$own" "$BASHPID" >/dev/null || leave "pin = true: taskset cannot bind a slot to the CPUs $own"
}
