#!/usr/bin/env bash
#
# Makes a folder to unpack an archive into, which must be new.
#
#   usage: bash new_folder.sh FOLDER
#
#     FOLDER   its absolute path
#
#   exits with: 0 if it was made; anything else if something of that name is there, or there is no tar

folder=$1

umask 077
command -v tar >/dev/null && mkdir -p -- "${folder%/*}/" && mkdir -- "$folder"
