# ==== what tasks use ========================================================================================
# None of this costs a fork, nor a task more than a read or two; what cannot be read is not told.
# CPU time: a slot runs one child at a time. So what its ended children have used (proc(5)), with all that they waited for,
# differs by what its task has used.
# Memory: about once a second, but for no more than a fiftieth of its time, the main process looks at the tasks that have
# run since the last look at least. Of a process it reads the most that it ever had in memory; where a task has several,
# also what they have together, with what they share divided between them.

# what the main process knows of the task of each slot: its process and start; the most memory of it, in KiB; the CPU
# time of processes whose parents ended before them, in hundredths of a second, and of each of these
NEXT_LOOK_CS=0 LOOKED_AT=() PEAKS=() ORPHANS=()
declare -A ORPHAN=()

# find_usage: set USAGE to the file in which this slot reads what its children used; empty if there is none.
find_usage() {
  local pid name
  USAGE=/proc/$BASHPID/stat
  # with a blank in the name, the fields would have other numbers
  { read -r pid name _ <"$USAGE"; } && [[ $pid == "$BASHPID" && $name == *")" ]] || USAGE=''
}

# count_cpu: set SPENT to the CPU time that the children of this slot have used until now, in hundredths of a second. It is
# emptied where programs of our own may come between two tasks.
count_cpu() {
  local user='' system=''
  [[ -z $USAGE ]] || read -r _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ user system _ <"$USAGE"
  SPENT=$((user + system))
}

# find_peak: if the main process has seen the task of run_task, set peak to the most memory that it had, in KiB; and add to
# cpu what processes have used whose parents ended before them, for nobody waited for those.
find_peak() {
  local pid='' start='' most='' orphans=''
  read -r pid start most orphans <"$RUN/used.$SLOT"
  [[ $pid == "$PID" && $start == "$begun" ]] || return
  [[ -z $cpu ]] || ((cpu += orphans))
  ((most == 0)) || peak=$most
}

# look_at_usage: note what the tasks use that have run since the last look at least.
look_at_usage() {
  local slot latest began=$UP_CS together=0
  local -A SLOT_OF=() MEMBERS=() PARENT=()
  ((UP_CS >= NEXT_LOOK_CS)) || return 0
  for ((slot = 0; slot < SLOTS; slot++)); do
    # shellcheck disable=SC2206 # four words
    latest=(${RUNNING[slot]})
    if [[ ${LOOKED_AT[slot]-} != "${latest[0]} ${latest[1]}" ]]; then
      LOOKED_AT[slot]="${latest[0]} ${latest[1]}" PEAKS[slot]=0 ORPHANS[slot]=0
      forget_orphans "$slot"
    elif ((latest[0] > 0)); then
      SLOT_OF[${latest[0]}]=$slot
    fi
  done
  if ((${#SLOT_OF[@]} > 0)); then
    find_members
    for slot in "${SLOT_OF[@]}"; do
      # shellcheck disable=SC2086 # process ids
      measure "$slot" ${MEMBERS[$slot]-}
      ((together += PEAKS[slot]))
      # lines of one length, written over each other, so that none is seen half written
      # shellcheck disable=SC2086 # two words
      printf '%-10s %20s %15s %15s\n' ${LOOKED_AT[slot]} "${PEAKS[slot]}" "${ORPHANS[slot]}" 1<>"$RUN/used.$slot"
    done
    printf '%15s\n' "$together" 1<>"$RUN/used"
    look_at_clock
  fi
  NEXT_LOOK_CS=$((UP_CS + 50 * (UP_CS - began)))
} 2>/dev/null # processes end while we look

# forget_orphans SLOT: of an earlier task.
forget_orphans() {
  local key
  for key in ${ORPHAN[@]+"${!ORPHAN[@]}"}; do
    [[ $key != "$1 "* ]] || unset "ORPHAN[$key]"
  done
}

# find_members: set MEMBERS to the processes of each task whose group is in SLOT_OF, and PARENT to the parent of each of
# them, and the slot. The child of one belongs to it in a group of its own, too.
find_members() {
  local file line pid parent slot
  for file in /proc/[1-9]*/stat; do
    read -r line <"$file" || continue
    pid=${file#/proc/} pid=${pid%/stat}
    line=${line##*) } line=${line#* }
    parent=${line%% *} line=${line#* }
    slot=${SLOT_OF[${line%% *}]-${PARENT[$parent]+${PARENT[$parent]#* }}}
    [[ -n $slot ]] || continue
    PARENT[$pid]="$parent $slot"
    MEMBERS[$slot]+=" $pid"
  done
}

# measure SLOT PID...: raise PEAKS and ORPHANS of a slot by what the processes of its task use.
measure() {
  local slot=$1 pid parent line fields key now=0 AMOUNT
  shift
  for pid in "$@"; do
    read_amount VmHWM: "/proc/$pid/status"
    ((PEAKS[slot] >= AMOUNT)) || PEAKS[slot]=$AMOUNT
    if (($# > 1)); then
      read_amount Pss: "/proc/$pid/smaps_rollup"
      ((now += AMOUNT))
    fi
    parent=${PARENT[$pid]% *}
    if [[ -z ${PARENT[$parent]-} && ${LOOKED_AT[slot]} != "$pid "* ]] && read -r line <"/proc/$pid/stat"; then
      # shellcheck disable=SC2206 # words without anything that a pattern is made of
      fields=(${line##*) })
      key="$slot $pid"
      ((ORPHANS[slot] -= ${ORPHAN[$key]:-0}))
      ORPHAN[$key]=$((fields[11] + fields[12] + fields[13] + fields[14]))
      ((ORPHANS[slot] += ${ORPHAN[$key]}))
    fi
  done
  ((PEAKS[slot] >= now)) || PEAKS[slot]=$now
}

# read_amount NAME FILE: set AMOUNT to the number after a name at the beginning of a line; 0: there is none.
read_amount() {
  local name number
  AMOUNT=0
  while read -r name number _; do
    if [[ $name == "$1" ]]; then
      [[ $number == *[!0-9]* ]] || AMOUNT=$number
      return
    fi
  done <"$2"
}

# ---- too little memory ----

# find_memory: set MEMORY_KB to how much all our tasks together may have; and KILLS to the file in which the kernel counts
# the processes that it killed for want of memory, as oom_kill; /dev/null if there is none.
find_memory() {
  local id kinds path base limit name AMOUNT
  MEMORY_KB=0 KILLS=/dev/null
  find_job_memory
  read_amount MemTotal: /proc/meminfo
  may_have "$AMOUNT"
  while IFS=: read -r id kinds path; do
    if [[ $id:$kinds == 0: && -e /sys/fs/cgroup/cgroup.controllers ]]; then
      base=/sys/fs/cgroup limit=memory.max name=memory.events
    elif [[ ,$kinds, == *,memory,* ]]; then
      base=/sys/fs/cgroup/memory limit=memory.limit_in_bytes name=memory.oom_control
    else
      continue
    fi
    path=${path%/}
    while :; do
      [[ $KILLS != /dev/null || ! -r $base$path/$name ]] || KILLS=$base$path/$name
      ! read -r id <"$base$path/$limit" || may_have "$id" 1024
      [[ -n $path ]] || break
      path=${path%/*}
    done
  done </proc/self/cgroup
} 2>/dev/null

# may_have LIMIT [UNIT]: lower MEMORY_KB to so many KiB, or parts of one; what is no number, such as max, is no limit.
may_have() {
  local limit=$1
  [[ $limit =~ ^[1-9][0-9]{0,18}$ ]] || return 0
  limit=$((limit / ${2:-1}))
  ((MEMORY_KB > 0 && MEMORY_KB <= limit)) || MEMORY_KB=$limit
}

# judge_memory: the task of run_task was killed. Tell if that was for want of memory, as far as can be known.
judge_memory() {
  local AMOUNT SHARE together=''
  read -r together <"$RUN/used"
  [[ -n $peak ]] || together='' # it is of other tasks
  ((together >= peak)) || together=$peak
  share_of "${together:-0}"
  [[ $together == "$peak" ]] || SHARE+=" with the tasks beside it"
  read_amount oom_kill "$KILLS"
  if ((AMOUNT > KILLED_BEFORE)); then
    REASON="out of memory: killed by the kernel${peak:+, with $SHARE}"
  elif ((MEMORY_KB > 0 && 10 * together >= 9 * MEMORY_KB)); then
    REASON="probably out of memory: $SHARE"
  fi
  KILLED_BEFORE=$AMOUNT
}

# share_of KIB: set SHARE to so much of MEMORY_KB in words.
share_of() {
  local unit=1024 name=MB amount amounts=()
  ((MEMORY_KB < 1048576)) || unit=1048576 name=GB
  for amount in "$1" "$MEMORY_KB"; do
    ((amount = (amount * 10 + unit / 2) / unit))
    ((amount % 10)) && amounts+=("$((amount / 10)).$((amount % 10))") || amounts+=("$((amount / 10))")
  done
  SHARE="${amounts[0]} of ${amounts[1]} $name"
}
