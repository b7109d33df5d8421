# ==== time ==================================================================================================
# clock: set NOW_US to the time, in microseconds since the epoch (in whole seconds before bash 5).
if [[ -n ${EPOCHREALTIME-} ]]; then
  clock() { NOW_US=${EPOCHREALTIME/[^0-9]/}; } # the separator follows the locale
else
  clock() { printf -v NOW_US '%(%s)T000000' -1; }
fi

# format_us VARIABLE MICROSECONDS: set VARIABLE to the same in seconds, as 12.345678.
format_us() {
  printf -v "$1" '%d.%06d' "$(($2 / 1000000))" "$(($2 % 1000000))"
}
