#!/usr/bin/env bash
# Not needed on the cluster, so fs_tree.fst does not name it.
printf 'plot sorted/accepted/*.txt as you like\n'
