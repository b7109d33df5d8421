#!/usr/bin/env bash
#
# Starts the manager of a submission where there is no scheduler: detached from the terminal, and only once.
#
#   usage: bash start_detached.sh ENVIRONMENT ID SUBMISSION MANAGER TOKEN
#
#     ENVIRONMENT   the folder of the swarm
#     ID            the id of the environment
#     SUBMISSION    the number of the submission
#     MANAGER       what the id of the manager begins with
#     TOKEN         the token of the submission
#
#   prints: why it did not start
#   exits with: 0 if it was started, now or before; NO_ENVIRONMENT; FOREIGN; TAKEN; NOT_STARTED if it ended at once;
#     SETUP_FAILED if it said within a few seconds that an entry of `setup` failed
#
# The folder exec/started.SUBMISSION/once is made first. A repeat of this, because the reply was lost, finds it there
# and starts nothing.

readonly NO_ENVIRONMENT=3 NOT_STARTED=4 FOREIGN=6 TAKEN=7 SETUP_FAILED=9
# What is started here inherits the variables of this shell. Those of this script begin with my_, so that they do not
# take the place of something that the user exports.
my_environment=$1 my_id=$2 my_submission=$3 my_manager=$4 my_token=$5
my_folder=exec/started.$my_submission my_word=
my_output=exec/logs/$my_manager.out

# has_begun: succeed if the manager has a heartbeat.
has_begun() {
  compgen -G "exec/beats/$my_manager-*" >/dev/null
}

# end_well: end, unless the manager has left because an entry of `setup` failed.
end_well() {
  while IFS=$'\t' read -r my_word my_reason _; do
    if [[ $my_word == left && $my_reason == "setup failed: "* ]]; then
      printf '%s\n' "$my_reason"
      exit "$SETUP_FAILED"
    fi
  done 2>/dev/null <"exec/cache/$my_manager-$my_id.tsv"
  exit 0
}

# is_running: succeed if the process that was started is still there.
is_running() {
  [[ -n $my_pid ]] && kill -0 "$my_pid" 2>/dev/null
}

# launch: start it in a session of its own, and set my_pid. With a `&`, or under nohup, it and all tasks would ignore
# signals such as Ctrl-C sends. As a job in the foreground it is the leader of a process group, which setsid may not be, so
# that setsid forks and comes back at once.
launch() {
  my_pid=
  if ! command -v setsid >/dev/null; then
    nohup bash exec/start.sh "$my_manager" </dev/null >>"$my_output" 2>&1 &
    my_pid=$!
    printf '%s\n' "$my_pid" >"$my_folder/pid"
    return
  fi
  set -m
  # shellcheck disable=SC2016 # the variables of the inner bash
  setsid bash -c 'printf "%s\n" "$$" >"$0" && exec bash "$@"' "$my_folder/pid" exec/start.sh "$my_manager" \
    </dev/null >>"$my_output" 2>&1
  set +m
  for ((my_round = 0; my_round < 50; my_round++)); do
    read -r my_pid 2>/dev/null <"$my_folder/pid" && [[ -n $my_pid ]] && return
    sleep 0.1
  done
}

cd -- "$my_environment" 2>&1 || exit "$NO_ENVIRONMENT"
[[ -e exec/id.$my_id ]] || exit "$FOREIGN"
read -r my_word 2>/dev/null <"$my_folder/token"
[[ $my_word == "$my_token" ]] || exit "$TAKEN"
if ! my_complaint=$(mkdir "$my_folder/once" 2>&1); then
  [[ -d $my_folder/once ]] && exit 0
  printf '%s\n' "$my_complaint"
  exit "$NO_ENVIRONMENT"
fi

launch
for ((my_round = 0; my_round < 50; my_round++)); do
  has_begun && end_well
  is_running || break
  sleep 0.1
done
is_running && exit 0
has_begun && end_well
tail -n 5 "$my_output"
exit "$NOT_STARTED"
