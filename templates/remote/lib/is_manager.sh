# is_manager PROCESS STEM: succeed if a process is a manager, or a slot of one, of the environment that we are in: its
# command line has exec/manager.sh, whatever way the config and the user wrote where that is, and STEM, what the manager's id
# begins with: its submission and element.
is_manager() {
  local word before=''
  while IFS= read -r -d '' word; do
    if [[ $word == "$2" && $before == */exec/manager.sh ]]; then
      [[ $before -ef exec/manager.sh || $before == "$PWD/exec/manager.sh" || $before == "$environment/exec/manager.sh" ]]
      return
    fi
    before=$word
  done 2>/dev/null <"$1/cmdline"
  return 1
}
