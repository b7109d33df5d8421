# ==== which chunk comes next ================================================================================
# Chunks fall in size, and the largest should run first, or a long one is left for the end. So after a first chunk at a
# place of its own, each slot always takes one of the largest that are free, which are the lowest; managers may come
# late, or never. Chunks are looked at in blocks of BLOCK, and within a block each slot begins at its own place, so that
# slots do not run after each other. Who has seen that all of a block is taken leaves a mark, claims/CHUNK.ENVIRONMENT.low:
# all chunks before CHUNK are taken. Only who knows that of all blocks before may leave one, so a mark far ahead is as
# good as all those between, and a slot that comes late leaps. Where others are quicker again and again, CROWD grows, and
# the slot looks a few blocks ahead; no mark is left there, so LOW stays behind. See docs/design.md for what it gains.

# is_low CHUNK: set MARK to its mark, and succeed if it is there.
is_low() {
  printf -v MARK '%s/exec/claims/%06d.%s.low' "$ROOT" "$1" "$ENVIRONMENT_ID"
  [[ -e $MARK ]]
}

# skip_taken: raise LOW, before which all chunks are taken, by the marks of others: in growing leaps, then in falling ones.
skip_taken() {
  local leap=$BLOCK
  while is_low "$((LOW + leap))"; do
    ((LOW += leap, leap *= 2))
  done
  while (((leap /= 2) >= BLOCK)); do
    is_low "$((LOW + leap))" && ((LOW += leap))
  done
}

# find_free: set chunk to one that seems free, in the first block that has one, or a few ahead; fail if all are taken.
find_free() {
  local at base ahead=$((RANDOM % (CROWD + 1)))
  while
    skip_taken
    ((LOW <= LAST))
  do
    ((ahead %= (LAST - LOW) / BLOCK + 1, base = LOW + ahead * BLOCK))
    for ((at = 0; at < BLOCK; at++)); do
      ((chunk = base + (OFFSET + at) % BLOCK))
      ((chunk > LAST)) || is_claimed "$chunk" || return 0
    done
    if ((ahead == 0)); then
      ((LOW += BLOCK))
      ((LOW > LAST)) || is_low "$LOW" || : >"$MARK" # further numbers are those of the next submit
    fi
    ((ahead /= 2))
  done
  return 1
}

# walk: take the chunk at the slot's own place, and from then on always one of the largest that are free. Tasks that must
# be alone come later.
walk() {
  local chunk LAST=$((LAST_CHUNK < ALONE_FROM ? LAST_CHUNK : ALONE_FROM - 1)) LOW=$FIRST_CHUNK BLOCK CROWD=0 MARK
  local count
  ((count = LAST - FIRST_CHUNK + 1, OFFSET = ELEMENT * SLOTS + SLOT))
  ((count > 0)) || return 0
  ((chunk = FIRST_CHUNK + OFFSET % count, BLOCK = count / 64))
  ((BLOCK = BLOCK < 1 ? 1 : BLOCK > 64 ? 64 : BLOCK)) # a small part of the plan, so that sizes hardly differ in it
  if is_claimed "$chunk" && ! find_free; then
    return
  fi
  while ! is_leaving; do
    wait_for_others
    if claim "$chunk" 1; then
      work_chunk "$chunk" 1
      ((CROWD /= 2))
    else
      ((CROWD = CROWD < 32 ? 2 * CROWD + 1 : 64))
    fi
    find_free || return
  done
}
