#!/usr/bin/env bash
#
# Submits the job array of a submission: exactly one, however often this is repeated, and whatever happens on the way.
#
#   usage: bash slurm_start.sh ENVIRONMENT ID SUBMISSION ELEMENTS NAME
#
#     ENVIRONMENT   the folder of the swarm
#     ID            the id of the environment
#     SUBMISSION    the number of the submission
#     ELEMENTS      how many elements are wanted; the cluster may allow fewer
#     NAME          the job's name, which no other job has: the token of the submission
#
#   prints: the id of the job, from sbatch or squeue; or why there is none
#   exits with: 0 if there is a job, of now or before; NO_ENVIRONMENT; FOREIGN; TAKEN; NOT_STARTED if sbatch refused it;
#     NO_ANSWER
#
# The folder exec/started.SUBMISSION/once is made first. A run that finds it there, or gets no clear answer from sbatch,
# looks for the job by its name before anything is submitted: sbatch may time out, and the job be there all the same; and
# what a site puts around sbatch may keep the id for itself.

readonly NO_ENVIRONMENT=3 NOT_STARTED=4 NO_ANSWER=5 FOREIGN=6 TAKEN=7
# What is submitted here inherits the variables of this shell. Those of this script begin with my_, so that they do not
# take the place of something that the user exports.
my_environment=$1 my_id=$2 my_submission=$3 my_elements=$4 my_name=$5
my_folder=exec/started.$my_submission my_word=

# end_with JOB: note the job, and end. First on the disk, for the command that asked may be gone.
end_with() {
  printf '%s\n' "$1" >"$my_folder/job"
  printf '%s\n' "$1"
  exit 0
}

# look_for_job: if a job of our name runs, waits, or ran, end with it; fail if the scheduler does not answer. What is said
# besides, on whatever stream, is no job.
look_for_job() {
  my_answer=$(timeout -k 5 30 squeue -h -a -t all -n "$my_name" -o %F 2>"$my_folder/silence") || {
    my_status=$?
    ((my_status != 124)) || printf 'squeue: no answer within 30 s\n' >>"$my_folder/silence"
    return "$my_status"
  }
  my_answer=$(printf '%s\n' "$my_answer" | sed -n '/^ *[0-9][0-9]* *$/ { s/ //g; p; q }')
  [[ -z $my_answer ]] || end_with "$my_answer"
}

# limit_elements: ask for no more elements than the cluster allows.
limit_elements() {
  my_limit=$(timeout -k 5 30 scontrol show config 2>/dev/null | sed -n 's/^MaxArraySize *= *//p')
  if [[ $my_limit =~ ^[0-9]+$ ]] && ((my_limit > 0 && my_elements > my_limit)); then
    my_elements=$my_limit
  fi
}

# submit: print what sbatch prints; what it complains of goes into a file. Jobs begin here, whatever a directive says:
# what they print has its path from there.
submit() {
  my_output=exec/logs/$my_submission-%a.out
  [[ $my_environment == *[%\\]* ]] && my_output=/dev/null # SLURM takes these for its own, wherever they stand in a path
  timeout -k 5 60 sbatch --parsable --job-name="$my_name" --array="0-$((my_elements - 1))" --chdir="$PWD" \
    --output="$my_output" --error="$my_output" exec/job.sbatch "$my_submission" 2>"$my_folder/complaint" </dev/null
}

# has_id TEXT: succeed if a line of it is the id of a job, and nothing else.
has_id() {
  [[ $'\n'$1$'\n' =~ $'\n'\ *[0-9]+(\;[^[:space:]]*)?\ *$'\n' ]]
}

cd -P -- "$my_environment" || exit "$NO_ENVIRONMENT"
[[ -e exec/id.$my_id ]] || exit "$FOREIGN"
read -r my_word 2>/dev/null <"$my_folder/token"
[[ $my_word == "$my_name" ]] || exit "$TAKEN"
if ! my_complaint=$(mkdir "$my_folder/once" 2>&1); then
  if [[ ! -d $my_folder/once ]]; then
    printf '%s\n' "$my_complaint"
    exit "$NO_ENVIRONMENT"
  fi
  if [[ -s $my_folder/job ]]; then
    cat "$my_folder/job"
    exit 0
  fi
  if ! look_for_job; then
    cat "$my_folder/silence"
    exit "$NO_ANSWER"
  fi
fi

limit_elements
my_said=$(submit) && has_id "$my_said" && end_with "$my_said"

for my_pause in 0 2 4; do
  sleep "$my_pause"
  if ! look_for_job; then
    cat "$my_folder/complaint" "$my_folder/silence"
    exit "$NO_ANSWER"
  fi
done
printf '%s\n' "$my_said"
cat "$my_folder/complaint"
rm -rf -- "$my_folder/once"
exit "$NOT_STARTED"
