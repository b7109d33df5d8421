# ==== time ==================================================================================================
# Records hold the time of day, ${EPOCHREALTIME:-$((EPOCH + SECONDS))}: seconds since the epoch, with a fraction from
# bash 5 on. The separator follows the locale; all that read our files take any. Durations are never taken from it, nor
# from SECONDS, for somebody may set it while we run: they are taken from the time since the machine was started.

# start_clock: set EPOCH, what has to be added to SECONDS.
start_clock() {
  local now
  printf -v now '%(%s)T' -1
  EPOCH=$((now - SECONDS))
}

# look_at_clock: set UP to the seconds since the machine was started, and UP_CS to hundredths of them. Where that cannot
# be read, SECONDS has to do.
look_at_clock() {
  local line=''
  { read -r line _ </proc/uptime; } 2>/dev/null
  [[ $line == *[0-9].[0-9][0-9] ]] || line=$SECONDS.00
  UP=${line%.*} UP_CS=$((10#${line/./}))
}

# to_us VARIABLE TIME: set VARIABLE to the same in microseconds.
to_us() {
  local whole=${2%%[^0-9]*} fraction=${2:${#2}-6}
  [[ $2 == *[^0-9]* ]] || fraction=000000
  printf -v "$1" '%s' "$whole$fraction"
}
