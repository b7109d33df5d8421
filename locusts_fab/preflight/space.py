"""The space that a swarm will take up on its target, in bytes and inodes, before anything is sent there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from locusts_fab.bounds.follow import tree_size
from locusts_fab.plan.tasks import LONGEST_CHUNK, chunk_sizes
from locusts_fab.text import counted, size

if TYPE_CHECKING:
    from collections.abc import Iterable

    from locusts_fab.model.tasks import Task
    from locusts_fab.plan.tasks import Plan
    from locusts_fab.replica.walk import Selection

#: Folders of an environment, scripts, and a few files for each of the first managers.
_FIXED_INODES = 50
#: The file of a chunk in the plan, the mark of its end, and the folder of its sandboxes. (A claim is a hard link.)
_INODES_OF_CHUNK = 3
#: With `pack`, its file in the plan, and its archive; the mark of its end is a hard link, too.
_INODES_OF_PACKED = 2
#: Besides its inputs and outputs, a task has a folder of staged inputs, a sandbox and a log.
_INODES_OF_TASK = 3


@dataclass(frozen=True)
class SpaceNeeded:
    """The least that a swarm takes up on its target; what its tasks write is not known, and comes on top.

    :param tasks: the number of tasks.
    :param chunks: the number of chunks that they make.
    :param files: inputs and outputs, those of all tasks together, and what of a tree is replicated.
    :param input_bytes: the inputs of all tasks, each counted for every task that has it.
    :param shared_bytes: the shared files.
    :param sandbox_bytes: copies of inputs in sandboxes, as many as there are at one time.
    :param tree_bytes: the replica of a custom environment; None if nothing is replicated.
    :param is_linked: inputs and shared files are not copied to the target, only linked there.
    :param inodes: files and folders.
    :param is_packed: what tasks leave is packed.
    :param packed_inodes: files and folders, if it were.
    """

    tasks: int
    chunks: int
    files: int
    input_bytes: int
    shared_bytes: int
    sandbox_bytes: int
    tree_bytes: int | None
    is_linked: bool
    inodes: int
    is_packed: bool = False
    packed_inodes: int = 0

    @property
    def size_bytes(self) -> int:
        """All bytes together."""
        staged = 0 if self.is_linked else self.input_bytes + self.shared_bytes
        return staged + self.sandbox_bytes + (self.tree_bytes or 0)

    def explain_bytes(self) -> str:
        """Return in words what the bytes are made of."""
        parts = [] if self.tree_bytes is None else [f"the tree {size(self.tree_bytes)}"]
        if not self.is_linked:
            parts += [f"inputs {size(self.input_bytes)}", f"shared files {size(self.shared_bytes)}"]
        parts.append(f"copies of inputs in sandboxes {size(self.sandbox_bytes)}")
        return ", ".join(parts) + ("; inputs and shared files are only linked" if self.is_linked else "")

    def explain_inodes(self) -> str:
        """Return in words what the inodes are made of."""
        if self.is_packed:
            return (
                f"{_INODES_OF_PACKED} for each of {counted(self.chunks, 'chunk')}, in which what"
                f" {counted(self.tasks, 'task')} leave is packed, and inputs and shared files"
            )
        return (
            f"{counted(self.files, 'file')} to come or go, {_INODES_OF_TASK} more for each of"
            f" {counted(self.tasks, 'task')}, {_INODES_OF_CHUNK} for each of {counted(self.chunks, 'chunk')},"
            " and inputs in sandboxes"
        )


def estimate_space(
    plan: Plan, tree: Selection | None, *, is_linked: bool, tasks: Iterable[Task] | None = None
) -> SpaceNeeded:
    """Return the space that a plan needs at least; every input is looked at once.

    :param tree: what of a custom environment's tree will be replicated; None if nothing is.
    :param is_linked: inputs and shared files are not copied to the target.
    :param tasks: the tasks of the plan, for one who looks at them too on their way.
    :raises PlanError: names of inputs or outputs cannot be used as they come out.
    """
    swarm = plan.swarm
    count = inputs = outputs = input_bytes = 0
    for task in plan.tasks() if tasks is None else tasks:
        count += 1
        inputs += len(task.inputs)
        outputs += len(task.outputs)
        for name in task.inputs:
            origin = plan.there.origin(name)
            if origin is None or (origin.path and not origin.is_in_archive):
                input_bytes += tree_size(swarm.indir / (origin.path if origin else name))[1]
    shared = [tree_size(swarm.shared_source(key)) for key in swarm.settings.shared]
    # a slot makes the sandboxes of a whole chunk at once; later only outputs and what `keep` asks for stay
    at_once = (
        count if swarm.settings.keep == "all" else min(count, max(1, swarm.slots) * swarm.target.nodes * LONGEST_CHUNK)
    )
    part = at_once / count if count else 0
    chunks = len(chunk_sizes(count, swarm.all_slots))
    is_packed = swarm.settings.pack
    files = inputs + outputs + (len(tree.folders) + len(tree.files) + len(tree.links) if tree else 0)
    alike = _FIXED_INODES + (len(shared) if is_linked else sum(each[0] for each in shared))
    packed_inodes = alike + _INODES_OF_PACKED * chunks + inputs + (count if inputs else 0)
    plain_inodes = alike + _INODES_OF_CHUNK * chunks + files + _INODES_OF_TASK * count + round(inputs * part)
    return SpaceNeeded(
        tasks=count,
        chunks=chunks,
        files=files,
        input_bytes=input_bytes,
        shared_bytes=sum(found[1] for found in shared),
        sandbox_bytes=0 if is_packed else round(input_bytes * part),
        tree_bytes=tree.bytes if tree else None,
        is_linked=is_linked,
        inodes=packed_inodes if is_packed else plain_inodes,
        is_packed=is_packed,
        packed_inodes=packed_inodes,
    )
