#!/usr/bin/env bash
#
# Starts a manager where there is no scheduler; made by locusts_fab.
#
#   usage: bash start.sh NAME
#
#     NAME   the submission and the number of the manager in it, such as 1-0

my_name=$1 my_manager='/scratch/me/it'\''s/exec/manager.sh'
my_log='/scratch/me/it'\''s/exec/logs'/$my_name.out
shift # what setup sources shall find no arguments

# What is asked for as `setup` runs here, an entry after another, for what it exports and defines is for the tasks. If one
# fails, or ends this shell, the manager is told, which records that and runs nothing.
my_entry=0 my_text='' my_size=0 my_path=$PATH my_bash=$BASH

# my_begin NUMBER TEXT: note which entry is about to run, and where in the log that begins what it prints.
my_begin() {
  my_entry=$1 my_text=$2
  my_size=$(wc -c 2>/dev/null <"$my_log") || my_size=0
}

# my_check STATUS: go on, if that was the end of an entry.
my_check() {
  [[ $1 == 0 ]] || my_fail "$1" 'exit code'
}

# my_fail STATUS HOW: become a manager that says what has failed. What the entry has set shall not hinder that.
my_fail() {
  trap - EXIT TERM USR1
  set +eu
  PATH=$my_path
  unset -v LD_PRELOAD LD_LIBRARY_PATH BASH_ENV
  my_words=$(tail -c "+$((my_size + 1))" -- "$my_log" 2>/dev/null | tail -n 3)
  exec "$my_bash" "$my_manager" "$my_name" "$my_entry" "$2 $1" "$my_text" "$my_words" "$0"
}

shopt -s execfail # or a bash that cannot be started would end this one
trap 'my_fail "$?" "ended the shell with exit code"' EXIT
trap 'my_fail TERM "ended by signal"' TERM
trap 'my_fail USR1 "ended by signal"' USR1

# what the config asks for as `setup`
my_begin 1 'module load openmpi'
eval "$my_text"
my_check "$?"
my_begin 2 'export TOOLS=~/tools
if [[ ! -d $TOOLS ]]; then
  exit 3
fi'
eval "$my_text"
my_check "$?"

exec bash "$my_manager" "$my_name"
my_fail "$?" 'leaves no bash that starts, exit code'
