# ==== packed outputs, unpacked ==============================================================================
# Only for the task after all others, which finds them as if they had never been packed.

# find_pieces: print CLAIM OFFSET SIZE SUM of each piece that whole records of done tasks name, in the order of these.
find_pieces() {
  local tab=$'\t' any
  any="[^$tab]*"
  {
    all_records
    known_records
  } | LC_ALL=C sed -nE \
    -e "s/^ended$tab($any)${tab}[0-9]+${tab}[0-9]+${tab}done($tab$any){4}${tab}[0-9]+@([0-9]+):([0-9]+):([0-9]+)($tab$any){2}$tab\.[$]\$/\1 \3 \4 \5/p" |
    LC_ALL=C sort -u -k 1,1 -k 2,2n
}

# unpack_all FOLDER: unpack what done tasks left to FOLDER/CLAIM, pieces that follow each other at once. Those that are not as
# they were written are noted in DAMAGED, by claim and piece, and left out.
unpack_all() {
  local claim offset size sum known='' from=0 to=0
  while read -r claim offset size sum; do
    if [[ $(read_piece "$claim" "$offset" "$size" | cksum) != "$sum $size" ]]; then
      DAMAGED["$claim $offset:$size:$sum"]=1
      continue
    fi
    if [[ $claim != "$known" ]] || ((offset != to)); then
      unpack_pieces "$1" || return
      known=$claim from=$offset
    fi
    to=$((offset + size))
  done < <(find_pieces)
  unpack_pieces "$1"
}

# unpack_pieces FOLDER: unpack there what lies between from and to in the archive of the claim in known, if there is one.
unpack_pieces() {
  [[ -n $known ]] || return 0
  mkdir -p -- "$1/$known" && (
    set -o pipefail
    read_piece "$known" "$from" "$((to - from))" | tar -xipf - --no-same-owner -C "$1/$known"
  )
}

# read_piece CLAIM OFFSET SIZE: print a piece. Not by `tail | head`: `tail` is killed when `head` has all, which is no failure.
read_piece() {
  dd if="$ROOT/work/$1.tar" bs=64K iflag=skip_bytes,count_bytes,fullblock skip="$2" count="$3" status=none
}
