#!/usr/bin/env bash
#
# Unpacks results of other swarms of the same target, so that they can be taken as staged inputs where they are.
#
#   usage: bash unpack_results.sh ENVIRONMENT ID LIST FOLDER
#
#     ENVIRONMENT   the folder of the swarm
#     ID            the id of the environment
#     LIST          a file in there: of each piece the archive that it is in, its claim, where it begins, how many bytes it has,
#                   and its checksum, each with a NUL at its end
#     FOLDER        the folder in there to which they are unpacked, each below its claim; it is made anew
#
#   exits with: 0, also if some are not there or not as they were written, which are left out; NO_ENVIRONMENT; FOREIGN; anything
#               else if something could not be unpacked

readonly NO_ENVIRONMENT=3 FOREIGN=6
environment=$1 id=$2 list=$3 folder=$4

# shellcheck source=lib/remove.sh
. "${BASH_SOURCE[0]%/*}/lib/remove.sh"

# read_piece: print the piece at hand. Not by `tail | head`: `tail` is killed when `head` has all, which is no failure.
read_piece() {
  dd if="$archive" bs=64K iflag=skip_bytes,count_bytes,fullblock skip="$offset" count="$size" status=none
}

set -o pipefail
umask 077
cd -- "$environment" || exit "$NO_ENVIRONMENT"
[[ -e exec/id.$id ]] || exit "$FOREIGN"
remove "$folder" && mkdir -- "$folder" || exit
while IFS= read -r -d '' archive && IFS= read -r -d '' claim && IFS= read -r -d '' offset &&
  IFS= read -r -d '' size && IFS= read -r -d '' sum; do
  [[ -f $archive && $(read_piece | cksum) == "$sum $size" ]] || continue
  mkdir -p -- "$folder/$claim" && read_piece | tar -xpf - --no-same-owner -C "$folder/$claim" || exit
done <"$list"
