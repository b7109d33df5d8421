# is_there PATH: succeed if something stands there, fail if nothing does. Where that cannot be told, as where a file server
# does not answer or a folder is closed, say why and end with 1: it may be there all the same.
is_there() {
  local complaint
  [[ -e $1 || -L $1 ]] && return
  complaint=$(LC_ALL=C stat -- "$1" 2>&1 >/dev/null) && return
  [[ $complaint == *': No such file or directory' || $complaint == *': Not a directory' ]] && return 1
  printf '%s\n' "$complaint" >&2
  exit 1
}

# enter FOLDER: go to a folder; fail if nothing is there. Where it cannot be entered, say why and end with 1.
enter() {
  cd -- "$1" 2>/dev/null && return
  is_there "$1" || return 1
  cd -- "$1" || exit 1
}
