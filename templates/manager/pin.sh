# ==== CPUs of its own for each slot =========================================================================
# Only with PIN.

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
  if ! type -P taskset >/dev/null; then
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
  (((SLOT + 1) * TASK_CPUS <= ${#CPUS[@]})) || return 0
  own="${CPUS[*]:SLOT*TASK_CPUS:TASK_CPUS}" # in quotes, or bash 4 puts blanks between
  taskset -cp "$own" "$BASHPID" >/dev/null || leave "pin = true: taskset cannot bind a slot to the CPUs $own"
}
