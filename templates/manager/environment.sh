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

# find_hidden: set HIDDEN to NAME=VALUE for each variable of the tasks that the functions of this script mention; env(1)
# gives them to each task. Set ASSIGNMENTS to the others that the config asks for, as they stand before a command.
find_hidden() {
  local name entry script
  local -A asked=()
  HIDDEN=() ASSIGNMENTS=''
  # shellcheck disable=SC2086 # names again
  script=$(unset -f $IMPORTED 2>/dev/null && declare -f)
  for entry in ${TASK_ENV[@]+"${TASK_ENV[@]}"}; do
    name=${entry%%=*}
    asked[$name]=1
    if is_mentioned; then
      eval "HIDDEN+=($entry)"
    else
      ASSIGNMENTS+="$entry "
    fi
  done
  for name in "${!GIVEN[@]}"; do
    if [[ -z ${asked[$name]-} ]] && is_mentioned; then
      HIDDEN+=("$name=${GIVEN[$name]}")
    fi
  done
}

# is_mentioned: succeed if the text in script mentions the variable in name, and not only to read it.
is_mentioned() {
  case $name in
    _ | PWD | OLDPWD) return 1 ;;  # a matter of each shell
    TMPDIR | HOSTNAME) return 1 ;; # they are only read here
    LC_ALL) return 1 ;;            # here it is set for single programs
    SHLVL) return 1 ;;             # a matter of bash
    TERM) return 1 ;;              # here it is only the name of a signal
    LOCUSTS_*) return 1 ;;         # those of an outer swarm are not for our tasks
  esac
  # shellcheck disable=SC2053 # a pattern
  [[ $name != $ONLY_READ && $script =~ [^A-Za-z_0-9]"$name"[^A-Za-z_0-9] ]]
}

# find_shell_words: set SHELL_WORDS to the words that start a command in a fresh bash, in the container if there is one.
# Where the config gives tasks another PATH, programs stand with their folders: what starts a task is not looked for in it.
find_shell_words() {
  local begin=(${CONTAINER[@]+"${CONTAINER[@]}"} bash) program=env
  if [[ " $ASSIGNMENTS" == *" PATH="* ]]; then
    program=$(type -P -- "${begin[0]}") && begin[0]=$program
    program=$(type -P env)
  fi
  SHELL_WORDS=()
  ((${#HIDDEN[@]} == 0)) || SHELL_WORDS=("$program" "${HIDDEN[@]}")
  SHELL_WORDS+=("${begin[@]}" "${STRICTLY[@]}" -c --)
}

declare -A GIVEN=()
# shellcheck disable=SC2046 # names need no quotes
keep_given $(compgen -e)
IMPORTED=$(compgen -A function) # such as `module`, which many sites export

# be_plain: undo what the start-up files of a site, or whoever exports SHELLOPTS, may have set, and put away the variables
# that change what bash and the programs of this script do. Tasks find them as they were. Scripts on hosts do the same, by
# _PLAIN_OPTIONS in hosts/base.py and PUT_AWAY in shell/scripts.py.
be_plain() {
  set +eCfvx +o posix
  shopt -u failglob nullglob dotglob nocaseglob nocasematch extglob globstar xpg_echo
  export -n SHELLOPTS BASHOPTS
  unset -v CDPATH GLOBIGNORE GREP_OPTIONS POSIXLY_CORRECT TAR_OPTIONS
  ((BASH_VERSINFO[0] >= 5)) || unset -v EPOCHREALTIME # there it is any variable
}

be_plain
