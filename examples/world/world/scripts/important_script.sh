#!/usr/bin/env bash
# Judge the measurements of one range: move each to sorted/accepted or sorted/rejected,
# and append a line on it to the summary of the range.
#
# Usage, in the folder scripts: bash important_script.sh FIRST-LAST      (for example 10-19)
#
# A measurement that has been moved before is left alone, so a second run changes nothing.
set -euo pipefail

readonly RANGE=${1-}
if [[ ! $RANGE =~ ^([0-9]+)-([0-9]+)$ ]]; then
  printf 'usage: bash important_script.sh FIRST-LAST\n' >&2
  exit 2
fi
readonly FIRST=$((10#${BASH_REMATCH[1]})) LAST=$((10#${BASH_REMATCH[2]}))
readonly SUMMARY=../summaries/$RANGE.tsv

# Lines such as `max_spread 0.050` in, `0.050` out.
max_spread=$(awk '$1 == "max_spread" { print $2 }' ../calibration/limits.txt)
readonly max_spread

for ((number = FIRST; number <= LAST; number++)); do
  name=$(printf 'lamp_%03d.txt' "$number")
  measurement=../measurements/$name
  [[ -e $measurement ]] || continue

  # The mean, and the standard deviation over the mean.
  read -r mean spread < <(LC_ALL=C awk -f lib/spread.awk "$measurement")
  if LC_ALL=C awk -v spread="$spread" -v limit="$max_spread" 'BEGIN { exit !(spread <= limit) }'; then
    verdict=accepted
  else
    verdict=rejected
  fi

  printf '%s\t%s\t%s\t%s\n' "$name" "$mean" "$spread" "$verdict" >>"$SUMMARY"
  mv "$measurement" "../sorted/$verdict/$name"
done

printf '%s: %s measurements on record\n' "$RANGE" "$(wc -l <"$SUMMARY")"
