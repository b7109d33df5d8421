# ==== time ==================================================================================================
# The time is ${EPOCHREALTIME:-$((EPOCH + SECONDS))}: seconds since the epoch, with a fraction from bash 5 on. The
# separator follows the locale; all that read our files take any.

# start_clock: set EPOCH, what has to be added to SECONDS.
start_clock() {
  local now
  printf -v now '%(%s)T' -1
  EPOCH=$((now - SECONDS))
}

# to_us VARIABLE TIME: set VARIABLE to the same in microseconds.
to_us() {
  local whole=${2%%[^0-9]*} fraction=${2:${#2}-6}
  [[ $2 == *[^0-9]* ]] || fraction=000000
  printf -v "$1" '%s' "$whole$fraction"
}
