# ==== outputs that are more than names ======================================================================
# An output in the plan that begins with a slash is no name but /LETTERS/TEXT, as `Entry` in bounds/entries.py has it:
# g (TEXT is a pattern), d (of folders only), o (it may be missing), n (what is empty is not there). /i/NAME is an input
# of the task. Only where HAS_PATTERNS says that there are such, any of this is called.
# Which files a pattern matched stands in records `matched`, written at once with the end of the attempt, which says how
# many of them there are: if one of them is torn, so is the end.

# what tells where a name ends in the field of a record: no name holds it
readonly BETWEEN_NAMES=//
# a line of names is cut at this length, so that the record is written at once; see AT_ONCE
readonly LONG_NAMES=900

# find_outputs: look for the outputs of run_task, and set found, absent, are_empty and MATCHED, and STAYS.
find_outputs() {
  local said count part name home=$WORK/${sandbox##*/} PARTS LC_ALL=C # lengths are bytes
  ((PACK)) && home=${sandbox##*/}
  local -i width=0
  for name in ${outputs[@]+"${outputs[@]}"}; do
    [[ $name == /i/* ]] || ((++width))
  done
  absent=1 are_empty=0 found='' MATCHED=''
  said=$(look_for_outputs)
  if ((${#said} < width + 18)); then
    printf -v found '%*s' "$width" ''
    found=${found// /0}
    return
  fi
  # no pattern is asked to find this: it would take the square of the length
  found=${said:${#said}-width} said=${said:0:${#said}-width}
  absent=${said:${#said}-1} are_empty=${said:${#said}-2:1}
  count=$((10#${said:${#said}-10:8}))
  ((count == 0)) || found+=:$count
  count=$((10#${said:${#said}-18:8})) said=${said:0:${#said}-18}
  MATCHED=${said:0:${#said}-count}
  split "${said:${#said}-count}" /
  name=''
  for part in "${PARTS[@]}"; do
    if [[ -n $part ]]; then
      name+=/$part
    elif [[ -n $name ]]; then # the second slash after it
      STAYS+=("$home$name") name=''
    fi
  done
}

# look_for_outputs: print the records for what is there; what is spared (the outermost folders and files, or with PACK the
# outputs themselves), with BETWEEN_NAMES after each; how many bytes that is, how many records there are, whether something
# is empty, whether something is absent, and a 1 or 0 for each output.
# What is empty counts as absent where it may not be so. It runs in a subshell.
look_for_outputs() {
  LC_ALL=C # bytes
  shopt -s nullglob
  declare -A spared=() is_input=() has_inputs=() seen=()
  is_here=1 absent=0 empty=0 found='' part=0 at=0 staying='' made=$SANDBOXES/log.0
  for output in ${outputs[@]+"${outputs[@]}"}; do
    [[ $output == /i/* ]] && note_input "${output#/i/}"
  done
  cd -- "$sandbox" || is_here=0
  for output in ${outputs[@]+"${outputs[@]}"}; do
    [[ $output == /i/* ]] && continue
    letters='' MATCHES=() line=''
    if [[ $output == /* ]]; then
      letters=${output#/} letters=${letters%%/*} output=${output#/*/}
    fi
    if [[ $letters != g* ]]; then
      [[ ! -e $sandbox/$output ]] || MATCHES=("$output")
    elif ((is_here)); then
      seen=() is_deep=0 doubtful=()
      [[ /$output/ != */'**'/* ]] || is_deep=1
      match '' "$output"
      if ((${#doubtful[@]} > 0)); then
        drop_unchanged
      fi
    fi
    judge_output
    ((++at))
  done
  for name in "${!spared[@]}"; do
    staying+=$name$BETWEEN_NAMES
  done
  printf '%s%08d%08d%d%d%s' "$staying" "${#staying}" "$part" "$empty" "$absent" "$found"
}

# note_input NAME: remember an input, and the folders it is in.
note_input() {
  local folder=$1
  is_input[$1]=1
  while [[ $folder == */* ]]; do
    folder=${folder%/*}
    has_inputs[$folder]=1
  done
}

# match FOLDER PATTERN: add to MATCHES what matches in FOLDER, which is empty or ends with a slash. `**` is done here, for
# the one of bash 4.2 follows symlinks.
match() {
  local head=${2%%/*} rest='' entry IFS=
  [[ $2 != */* ]] || rest=${2#*/}
  if [[ $head == '**' ]]; then
    match "$1" "${rest:-*}"
    for entry in "$1"*/; do
      [[ -L ${entry%/} ]] || match "$entry" "$2"
    done
  elif [[ -n $rest ]]; then
    # shellcheck disable=SC2231 # a pattern
    for entry in "$1"$head/; do
      match "$entry" "$rest"
    done
  else
    # shellcheck disable=SC2231
    for entry in "$1"$head; do
      [[ -n ${seen[$entry]-} ]] || ! is_output "$entry" || MATCHES+=("$entry")
      seen[$entry]=1
    done
  fi
}

# is_output NAME: succeed if what a pattern matched is an output of the task: no input that it left as it was, no folder
# that inputs came in, and below `**` no folder at all, for it is what is in them that is meant.
is_output() {
  local above=$1
  if [[ -d $1 ]]; then
    [[ $is_deep == 0 && -z ${has_inputs[$1]-}${is_input[$1]-} ]]
    return
  fi
  [[ -f $1 && $letters != gd* ]] || return
  if [[ -z $TREE && ${#is_input[@]} -gt 0 && ! $1 -nt $made ]]; then # it is not newer than the sandbox
    while [[ -z ${is_input[$above]-} ]]; do
      [[ $above == */* ]] || return 0
      above=${above%/*}
    done
    [[ $made -nt $1 ]] && return 1
    doubtful+=("./$1")
  fi
}

# drop_unchanged: take out of MATCHES those inputs of doubtful that are older than the sandbox all the same: before bash 5, -nt
# counts whole seconds. stat tells more, of many at once.
drop_unchanged() {
  local line name time since at kept=()
  local -A is_old=()
  for ((at = 0; at < ${#doubtful[@]}; at += 400)); do # a command line does not hold any number
    since=''
    while IFS= read -r -d '' line; do
      time=${line%%/*} name=${line#*/./}
      time=${time//[!0-9]/}
      [[ $time =~ ^[0-9]{10,19}$ ]] || continue
      since=${since:-$time}
      ((10#$time >= 10#$since)) || is_old[$name]=1
    done < <(LC_ALL=C stat -L --printf '%.9Y/%n\0' -- "$made" "${doubtful[@]:at:400}")
  done
  for name in "${MATCHES[@]}"; do
    [[ -n ${is_old[$name]-} ]] || kept+=("$name")
  done
  MATCHES=(${kept[@]+"${kept[@]}"})
}

# judge_output: from MATCHES and letters, add to found, note what is spared, and print what a pattern matched.
judge_output() {
  local name is_there=0 count=${#MATCHES[@]}
  [[ $letters != *n ]] || drop_empty
  ((${#MATCHES[@]} == 0)) || is_there=1
  if ((${#MATCHES[@]} < count)) && [[ $letters != *o* ]]; then
    is_there=0 empty=1 absent=1
  elif ((! is_there)) && [[ $letters != *o* ]]; then
    absent=1
  fi
  found+="$is_there"
  if ((is_there)) && [[ -z $TREE ]]; then # in a tree that all tasks share, nobody knows whose a file is
    for name in "${MATCHES[@]}"; do
      if ((PACK)); then spared[$name]=1; else spared[${name%%/*}]=1; fi
      [[ $letters != g* ]] || add_name "$name"
    done
    [[ -z $line ]] || print_names
  fi
}

# drop_empty: leave in MATCHES the files and folders that hold anything.
drop_empty() {
  local name inner full=()
  for name in ${MATCHES[@]+"${MATCHES[@]}"}; do
    if [[ -d $name ]]; then
      inner=("$name"/* "$name"/.[!.]* "$name"/..?*)
      ((${#inner[@]} == 0)) || full+=("$name")
    else
      [[ ! -s $name ]] || full+=("$name")
    fi
  done
  MATCHES=(${full[@]+"${full[@]}"})
}

# add_name NAME: add a name to line, escaped as in tsv.py.
add_name() {
  local name=$1
  if [[ $name == *[\\$'\t\n\r']* ]]; then
    name=${name//\\/\\\\}
    while [[ $name == *$'\t'* ]]; do name=${name%%$'\t'*}'\t'${name#*$'\t'}; done
    while [[ $name == *$'\n'* ]]; do name=${name%%$'\n'*}'\n'${name#*$'\n'}; done
    while [[ $name == *$'\r'* ]]; do name=${name%%$'\r'*}'\r'${name#*$'\r'}; done
  fi
  ((${#line} == 0 || ${#line} + ${#name} <= LONG_NAMES)) || print_names
  line+=${line:+$BETWEEN_NAMES}$name
}

# print_names: print line as a record.
print_names() {
  ((++part))
  printf 'matched\t%s\t%s\t%s\t%s\t%s\t%s\t.\n' "$CLAIM" "$task" "$attempt" "$part" "$at" "$line"
  line=
}
