"""Lines in files of commands by which other programs are told what to do; here they would mean nothing."""

from __future__ import annotations

import re

DIRECTIVE = re.compile(r"\s*#(DISBATCH|SWARM|SBATCH|DSQ|PBS|BSUB|OAR|\$)\b.*")
