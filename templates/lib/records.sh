# ==== records ===============================================================================================
# Records are lines of tab-separated fields, appended to CACHE; the last field is a dot, so that a line torn by a
# crash or a full disk is recognised. Every record is its own open, write and close: on a network file system that
# is what makes it appear on the server.
#
#   manager  ID HOST PID SLOTS TIME BASH      the manager is here
#   began    CLAIM TASK ATTEMPT TIME          an attempt starts
#   ended    CLAIM TASK ATTEMPT STATE EXIT START SECONDS OUTPUTS LOG REASON
#                                             STATE: done, failed, retry (another attempt follows), interrupted
#                                             OUTPUTS: a 1 or 0 for each designated output; LOG: 1 if it printed
#   left     REASON TIME                      the manager takes no more tasks

# record FIELD...: append one record; a failure means the disk is full or gone, and then no more tasks are taken.
record() {
  local IFS=$'\t' # what stands between the fields in "$*"
  printf '%s\t.\n' "$*" >>"$CACHE" || leave "records cannot be written"
}

# unescape VARIABLE: undo the \t \n \\ of the plan's fields, in place.
unescape() {
  printf -v "$1" '%b' "${!1}"
}
