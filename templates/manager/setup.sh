# ==== a setup that failed ===================================================================================
# Where an entry of `setup` failed, start.sh or the job script starts this manager all the same, with what it knows of
# that: so it is recorded, in the same way as all else, and whoever looks at the swarm sees it.

# the beginning of the reason to leave; see LeaveReason in model/swarms.py, and manager/setup_failures.py
readonly SETUP_FAILED="setup failed:"

# report_setup NUMBER HOW TEXT WORDS SCRIPT: record that this entry failed, and leave.
report_setup() {
  local text words='' line PARTS
  text=$(flatten "$3")
  split "$4" $'\n'
  for line in "${PARTS[@]}"; do
    line=${line#"$5: "}
    line=${line#eval: }
    [[ ! $line =~ ^line\ [0-9]+:\ (.*)$ ]] || line=${BASH_REMATCH[1]}
    line=$(flatten "$line")
    [[ -z $line ]] || words+="${words:+ / }$line"
  done
  announce
  take_leave "$SETUP_FAILED entry $1, $2 (${text:0:100})${words:+: ${words:0:400}}"
}

# flatten TEXT: print it in one line, with one blank where there were several, as it can stand in a record.
flatten() (
  IFS=$' \t\n\r'
  set -f
  # shellcheck disable=SC2086 # words
  set -- $1
  printf '%s' "$*"
)
