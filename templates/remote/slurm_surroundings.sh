#!/usr/bin/env bash
#
# Keeps what the surroundings say to SLURM's programs away from them: options in SBATCH_* beat the #SBATCH lines, filters
# and formats in SQUEUE_*, SINFO_*, SCANCEL_* and SCONTROL_* change answers, and SLURM_* of an outer job is not about ours.
# It is put before each of the other scripts for SLURM, and this is the one list.
#
#   usage: bash slurm_surroundings.sh
#
#   exits with: 0; what follows it finds in my_unset the names of what was taken away that asked for something
#
# What only says where the scheduler is, and who asks, stays, for all programs read it alike (`man sbatch`, `man squeue`
# and the others, under ENVIRONMENT VARIABLES): SLURM_CONF, the configuration; SLURM_CONF_SERVER, who has it where there
# is no file; SLURM_CLUSTERS and SLURM_WORKING_CLUSTER, which of several clusters; SLURM_JWT, a token of the user's.
# SBATCH_CLUSTERS goes: only sbatch reads it, so the others would look for the job elsewhere. So does SLURM_CLUSTERS if it
# names several: sbatch chooses one of them, and the id of the job means another job in each of the others.

my_unset=
for my_variable in "${!SBATCH_@}" "${!SALLOC_@}" "${!SRUN_@}" "${!SQUEUE_@}" "${!SINFO_@}" "${!SCANCEL_@}" \
  "${!SCONTROL_@}" "${!SLURM_@}" "${!SLURMD_@}" "${!_SLURM_@}" "${!SPANK_@}"; do
  case $my_variable in
    SLURM_CONF | SLURM_CONF_SERVER | SLURM_WORKING_CLUSTER | SLURM_JWT) continue ;;
    SLURM_CLUSTERS)
      [[ $SLURM_CLUSTERS == *,* || ${SLURM_CLUSTERS,,} == all ]] || continue
      my_unset+=" $my_variable"
      ;;
    SBATCH_*) my_unset+=" $my_variable" ;;
  esac
  unset -v "$my_variable"
done
