# ==== last words ============================================================================================
# The record of a failure holds the end of what the task printed, so that nobody has to fetch its log to see why. Only
# what failed pays for it.

# add_last_words: add to REASON of run_task the last lines of its log, each after a character that nothing else in a
# record holds: no more than 4 lines, each of 200 characters at most, and no indented ones (what a stack of calls looks
# like) unless there are no others. A line that was drawn over (a bar) begins with a carriage return and holds what it
# was last; blanks before a bar are none of these. Which of them tells, manager/last_words.py judges.
add_last_words() {
  local mark=$'\x1f' text='' line drawn words='' indented='' count=0 at PARTS
  IFS= read -r -N 4097 text <"$log_file"
  if ((${#text} > 4096)); then
    text=$(tail -c 4096 -- "$log_file")
    [[ $text == *$'\n'* ]] && text=${text#*$'\n'}
  fi
  split "$text" $'\n'
  for ((at = ${#PARTS[@]} - 1; at >= 0 && count < 4; at--)); do
    line=${PARTS[at]%$'\r'} drawn=''
    [[ $line == *$'\r'* ]] && drawn=$'\r' line=${line##*$'\r'}
    [[ $line == *[!$' \t']* ]] || continue
    [[ $drawn$line == [$' \t']* ]] && drawn=' '
    line=${line//[[:blank:]]/ }
    ((${#line} > 200)) && line=${line:0:200}...
    if [[ $drawn == ' ' ]]; then
      [[ -n $indented ]] || indented=$mark$line
    else
      words=$mark$drawn$line$words
      ((++count))
    fi
  done
  REASON+=${words:-$indented}
}
