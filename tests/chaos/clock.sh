#!/usr/bin/env bash
# shellcheck disable=SC2034 # EPOCHREALTIME and SECONDS are read by what comes after
# Sourced by the bash of a manager before it reads its script (BASH_ENV): its clock is ahead by the seconds in the file
# CHAOS_CLOCK, which somebody writes while it runs. Both its time of day and SECONDS follow at the next command.

unset BASH_ENV # or tasks would source it too
unset EPOCHREALTIME
printf -v chaos_start '%(%s)T' -1
chaos_look() {
  local ahead=0 now
  builtin read -r ahead 2>/dev/null <"$CHAOS_CLOCK"
  printf -v now '%(%s)T' -1
  EPOCHREALTIME=$((now + ahead)).000000
  SECONDS=$((now - chaos_start + ahead))
}
set -o functrace
trap chaos_look DEBUG
