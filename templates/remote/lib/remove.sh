# remove NAME...: remove files and folders, also what lies in folders that may not be written, as tasks and inputs leave them;
# fail if something is left.
remove() {
  rm -rf -- "$@" 2>/dev/null && return
  unlock "$@"
  rm -rf -- "$@"
}

# unlock NAME...: let us write to those of them that are folders, and to all folders below. Nothing else changes: what a symlink
# leads to is not ours, and a file may be another name of one that is not.
unlock() {
  local folder
  for folder in "$@"; do
    folder=${folder%/}
    [[ -d $folder && ! -L $folder ]] || continue
    [[ -r $folder && -w $folder && -x $folder ]] || chmod u+rwx -- "$folder"
    unlock "$folder"/*/ "$folder"/.[!.]*/ "$folder"/..?*/
  done
}
