#!/usr/bin/env bash
#
# Keeps the managers of submissions from taking more tasks; what they run may end.
#
#   usage: bash fence.sh ENVIRONMENT ID [SUBMISSION]...
#
#     ENVIRONMENT   the folder of the swarm
#     ID            the id of the environment
#     SUBMISSION    the number of a submission
#
#   exits with: 0 if that is so, also where there is no environment for certain; FOREIGN; 1 if the environment cannot be
#     seen or written

readonly FOREIGN=6
environment=$1 id=$2
shift 2

# shellcheck source=lib/enter.sh
. "${BASH_SOURCE[0]%/*}/lib/enter.sh"

enter "$environment/exec" || exit 0
[[ -e id.$id ]] || exit "$FOREIGN"
for submission in "$@"; do
  : >"stop.$submission" || exit 1
done
