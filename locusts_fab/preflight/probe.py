"""The one script that looks at a target for `check`, and the reading of its answer.

It leaves everything as it was: folders that it makes to see whether they can be made, it removes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locusts_fab.shell.scripts import remote_script

if TYPE_CHECKING:
    from locusts_fab.hosts.base import Host

#: Longer than all the time-outs in the script together; a file system that hangs makes it wait for ever.
_PATIENCE_S = 180


@dataclass(frozen=True)
class Questions:
    """The things that the script looks at; it does not look at those that are empty.

    :param root: the root, as the config has it.
    :param name: the name of the swarm.
    :param scratch: the scratch folder, if it is an absolute path, or begins with a variable that is known there.
    :param setup: the lines of `setup`.
    :param shared: name of a folder below the root that this machine has made, and what it wrote into it.
    :param scheduler: the text of the script that looks at the scheduler.
    :param job: the job script that it is to try.
    :param elements: how many elements the job's array has.
    """

    root: str
    name: str
    scratch: str = ""
    setup: str = ""
    runtime: str = ""
    image: str = ""
    shared: tuple[str, str] = ("", "")
    scheduler: str = ""
    job: str = ""
    elements: int = 1


@dataclass(frozen=True)
class Seen:
    """The answer of the script.

    :param facts: by the keys that the script has for them; what could not be looked at has none.
    :param noise: what start-up files printed.
    """

    facts: dict[str, str]
    noise: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether the script came to its end."""
        return "end" in self.facts


def look(host: Host, questions: Questions) -> Seen:
    """Return what is seen of a target, in one round trip.

    :raises HostError: it cannot be reached, or bash does not run there.
    """
    result = host.run(
        remote_script("probe"),
        questions.root,
        questions.name,
        remote_script("resolve_root"),
        questions.scratch,
        questions.setup,
        questions.runtime,
        questions.image,
        *questions.shared,
        questions.scheduler,
        questions.job,
        str(questions.elements),
        timeout_s=_PATIENCE_S,
    )
    words = [os.fsdecode(word) for word in result.stdout.split(b"\0")]
    noise = os.fsdecode(result.noise) + result.stderr
    return Seen(dict(zip(words[::2], words[1::2], strict=False)), noise.strip())
