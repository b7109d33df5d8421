# ==== without a scheduler ===================================================================================
# Managers that a scheduler started have a part with its name instead. What a surrounding job of one may have left in
# the variables is not for us.

# variables that are only read here, so tasks find them as they were
readonly ONLY_READ=''

# find_place: set ELEMENT, the number of this manager in its submit, and NODE, the machine that it runs on.
find_place() {
  ELEMENT=0
  NODE=${HOSTNAME:-localhost}
}

# find_job_cpus: set JOB_CPUS to how many CPUs our job has; 0: there is no job.
find_job_cpus() {
  JOB_CPUS=0
}

# find_job_memory: do nothing, for there is no job.
find_job_memory() {
  return
}

# find_end: do nothing, for nobody ends us at a known time.
find_end() {
  return
}

# start_again: do nothing, for no scheduler would start us.
start_again() {
  return
}
