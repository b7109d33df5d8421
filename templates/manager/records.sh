# ==== records ===============================================================================================
# Records are lines of tab-separated fields, appended to CACHE; the last field is a dot, so that a line torn by a
# crash or a full disk is recognised. Every record is its own open, write and close: on a network file system that
# is what makes it appear on the server. The end of an attempt is written together with the beginning of the next, which
# follows at once; with PACK it waits until what the attempt left is packed. manager/records.py reads them and has the same
# fields.
#
#   manager  ID HOST PID SLOTS TIME BASH      the manager has started
#   began    CLAIM TASK ATTEMPT TIME LOG      an attempt starts; what it prints goes to log.LOG
#   ended    CLAIM TASK ATTEMPT STATE EXIT START END OUTPUTS LOG USED REASON
#                                             STATE: done, failed, retry (another attempt follows), interrupted
#                                             OUTPUTS: a 1 or 0 for each designated output; then, if there are records
#                                             `matched` of this attempt, a colon and how many; LOG: 0 if it printed
#                                             nothing; with PACK, then @OFFSET:SIZE:SUM of what is packed;
#                                             USED: CPU time in hundredths of a
#                                             second, a colon, the most memory in KiB; what is not
#                                             known is empty; REASON: of a failure with its last lines; see words.sh
#   matched  CLAIM TASK ATTEMPT PART OUTPUT NAMES
#                                             part PART of what patterns among the outputs matched, right before the end;
#                                             OUTPUT: its place among them, from 0 on; NAMES: with // between
#   suspect  CLAIM TASK ATTEMPT               that attempt failed on a node where all do: it counts for nothing
#   left     REASON TIME                      the manager takes no more tasks

# record FIELD...: append a record.
record() {
  local IFS=$'\t' # what stands between the fields in "$*"
  append "$*"$'\t.\n' || leave "$NO_RECORDS"
}

# so many bytes are written at once for certain; what is longer bash may write in parts, and another slot between them. It writes
# what its buffer holds: 1,008 bytes where it was built with its own malloc, else a block of the file that it prints to first,
# which `main` sees to. So many characters are never more bytes.
readonly AT_ONCE=1000 AT_ONCE_CHARACTERS=250

# append TEXT: append lines to the records, each by a write of its own if they are too long to be written at once.
append() {
  local line PARTS LC_ALL=C
  if ((${#1} <= AT_ONCE)); then
    printf '%s' "$1"
    return
  fi
  split "${1%$'\n'}" $'\n'
  for line in "${PARTS[@]}"; do
    if ((${#line} < AT_ONCE)); then
      printf '%s\n' "$line" || return
    else
      unharmed print_long "$line" || return
    fi
  done
} >>"$CACHE"

# print_long LINE: print a line by one write, however long it is. That takes a program; few lines are so long.
print_long() {
  SPENT='' # what it uses is not the next task's
  printf '%s\n' "$1" | dd bs=1M iflag=fullblock status=none
}

# write_held: append the records that are held back.
write_held() {
  ((PACK == 0)) || unharmed pack_held
  if append "$HELD"; then
    HELD=
  else
    leave "$NO_RECORDS"
    [[ -z $HELD ]] || HELD=$'\n'$HELD
  fi
}

# a failure means that the disk is full or gone, and then no more tasks are taken
readonly NO_RECORDS="records cannot be written"

# split TEXT MARK: set PARTS to what stands between the marks, each a single character, in a text. No here-string does that: bash
# writes a file for one, and where the disk of TMPDIR is full there is nothing to read.
split() {
  local text=$1$2 at part='' LC_ALL=C
  PARTS=()
  for ((at = 0; at < ${#text}; at += 16000)); do
    split_block "${text:at:16000}" "$2"
  done
}

# split_block TEXT MARK: add to PARTS what ends in this part of the text, and keep the rest in part. All that bash does with a
# text takes time by its length, and a pattern the square of that, so it is asked for a little at a time.
split_block() {
  local at piece word
  for ((at = 0; at < ${#1}; at += 1000)); do
    piece=${1:at:1000}
    while [[ $piece == *"$2"* ]]; do
      word=${piece%%"$2"*}
      PARTS+=("$part$word") part='' piece=${piece:${#word}+1}
    done
    part+=$piece
  done
}

# unescape VARIABLE: undo the \t \n \r \\ of the plan's fields, in place. tsv.py escapes them, and has its own
# `unescape`.
unescape() {
  printf -v "$1" '%b' "${!1}"
}
