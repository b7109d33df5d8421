# ==== variables of the same name ============================================================================
# A task finds its variables as this script found them, and as the config sets them. Where one of them (SCRATCH and WORK
# are common on clusters) has the name of a variable of this script, bash would pass on ours. So their values are kept
# in GIVEN before this script sets anything, and given back to each task by env(1).

# keep_given NAME...: keep the values of these variables.
keep_given() {
  while (($# > 0)); do
    GIVEN[$1]=${!1-}
    shift
  done
}

# find_hidden: set HIDDEN to NAME=VALUE for each variable that was given and that the functions of this script mention.
find_hidden() {
  local name script
  HIDDEN=()
  # shellcheck disable=SC2086 # names again
  script=$(unset -f $IMPORTED 2>/dev/null && declare -f)
  for name in "${!GIVEN[@]}"; do
    case $name in
      _ | PWD | OLDPWD) continue ;;  # a matter of each shell
      TMPDIR | HOSTNAME) continue ;; # they are only read here
      LC_ALL) continue ;;            # here it is set for single programs
      SHLVL) continue ;;             # a matter of bash
      TERM) continue ;;              # here it is only the name of a signal
    esac
    # shellcheck disable=SC2053 # a pattern
    [[ $name == $ONLY_READ ]] && continue
    if [[ $script =~ [^A-Za-z_0-9]"$name"[^A-Za-z_0-9] ]]; then
      HIDDEN+=("$name=${GIVEN[$name]}")
    fi
  done
}

declare -A GIVEN=()
# shellcheck disable=SC2046 # names need no quotes
keep_given $(compgen -e)
IMPORTED=$(compgen -A function) # such as `module`, which many sites export
