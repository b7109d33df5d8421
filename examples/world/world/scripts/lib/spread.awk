# Columns in: time in seconds, brightness in mW; lines with # are comments.
# Out: the mean brightness, and its standard deviation over the mean.
!/^#/ { count++; sum += $2; squares += $2 * $2 }
END {
  mean = sum / count
  variance = (squares - count * mean * mean) / (count - 1)
  printf "%.3f %.4f\n", mean, sqrt(variance > 0 ? variance : 0) / mean
}
