# find_open ENVIRONMENT: if the folder, or exec in it, is not ours alone, set OPENING to which, its owner and its mode, with
# tabs between; else fail. Who can write there could put commands into the plan, and they would run as us.
find_open() {
  local folder owner mode name
  for folder in "$1" "$1/exec"; do
    [[ -e $folder || -L $folder ]] || continue
    read -r owner mode name < <(stat -L -c '%u %a %U' -- "$folder")
    if [[ -L $folder ]] && read -r owner name < <(stat -c '%u %U' -- "$folder") && [[ $owner != "$EUID" ]]; then
      mode='link'
    fi
    OPENING=$folder$'\t'${name:-?}$'\t'${mode:-?}
    [[ $owner == "$EUID" && $mode == *00 ]] || return 0
  done
  return 1
}
