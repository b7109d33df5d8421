"""Results that stay packed: outputs and logs of done tasks go into archives under outdir, a file for thousands of them.

An archive is a plain tar: each output under `TASK/OUTPUT`, each log under `logs/TASK.log`. It appears whole or not at
all, and is never written to again; where in it each output is, the ledger and outputs.tsv say.
"""

from __future__ import annotations

import os
import sys
import tarfile
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from locusts_fab.bounds.inside import Inside
from locusts_fab.bounds.names import Name, UnsafeNameError
from locusts_fab.errors import TransferError
from locusts_fab.layout import ARCHIVES
from locusts_fab.model.findings import Kept, Packed
from locusts_fab.model.tasks import TaskState
from locusts_fab.outputs import GONE, ITS_ARCHIVE, ODD, LeadsOutError, in_folder, links_to_make
from locusts_fab.results.collect import Placed, has_log_to_bring, outputs_to_bring, writing_to
from locusts_fab.results.own import Own, mark_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from locusts_fab.fs import Span
    from locusts_fab.layout import Environment, Results
    from locusts_fab.model.tasks import Outcome
    from locusts_fab.state.own_files import OwnFiles


def stays_packed(outcome: Outcome, results: Results) -> bool:
    """Return whether what a task left stays packed; that of failed tasks and of the last one is to be looked at."""
    is_done = outcome.state is TaskState.DONE and outcome.piece is not None
    return results.is_archive and is_done and outcome.id != results.final


def put_in_archive(
    pieces: Mapping[Packed, Span | str],
    outcomes: Sequence[Outcome],
    environment: Environment,
    results: Results,
    own_files: OwnFiles,
    lacking: Collection[tuple[int, str]] = (),
) -> Placed:
    """Put what tasks left into a new archive under outdir; what is here of them as files, and is ours, goes.

    What came earlier of the same attempt, and cannot be read again, stays as it is here.

    :param pieces: those that hold it; or why one is not there.
    :param outcomes: done tasks whose outputs are packed.
    :param environment: where they come from.
    :param own_files: what is ours under outdir; what is put there is entered at once, the rest of what is returned not.
    :param lacking: see `put_in_place`.
    :raises TransferError: the folder of results cannot be written.
    """
    placed = Placed()
    with writing_to(results):
        results.outdir.mkdir(parents=True, exist_ok=True)
        with Inside(results.outdir) as outdir:
            outcomes = list(_leave_those_here(outdir, pieces, outcomes, results, lacking, placed))
            if not outcomes:
                return placed
            place = _free_place(outdir, results)
            outdir.need_folder(Name(ARCHIVES))
            own_files.expect([(place, 0)])
            with outdir.beside(place) as part:
                with os.fdopen(outdir.new(part), "wb") as file:
                    _fill(_Archive(file, results, environment, placed), pieces, outcomes)
                outdir.replace(part, place)
            placed.files.append((place, 0, mark_of(outdir, place)))
            placed.places.extend((outcome.number, place) for outcome in outcomes)
            _remove_earlier(outdir, outcomes, own_files, placed)
    return placed


def _leave_those_here(
    outdir: Inside,
    pieces: Mapping[Packed, Span | str],
    outcomes: Iterable[Outcome],
    results: Results,
    lacking: Collection[tuple[int, str]],
    placed: Placed,
) -> Iterator[Outcome]:
    """Yield the tasks that an archive is to be made of; the others stay where they are, and lack what they lacked."""
    for outcome in outcomes:
        held = pieces[Packed(outcome.claim, outcome.piece)] if outcome.piece else ""
        is_standing = outcome.place == "." or (bool(outcome.place) and outdir.look(Name(outcome.place)) is not None)
        if not isinstance(held, str) or not outcome.is_here or not is_standing:
            yield outcome
            continue
        placed.places.append((outcome.number, outcome.place))
        is_packed = results.is_archive_place(outcome.place)  # then nothing of it is in there: else it would not come
        for name, found in outputs_to_bring(outcome, results):
            if found and (
                is_packed
                or (outcome.number, name) in lacking
                or outdir.look(results.output(outcome.place, name)) is None
            ):
                placed.troubles.append((outcome.number, name, held))


def may_come(outcome: Outcome, results: Results, troubles: Mapping[tuple[int, str], str]) -> bool:
    """Return whether something may come now of a task of which nothing is in its archive.

    As when it was left on the target, or when a piece of an archive was out of reach there. What is wrong with an
    output itself stays wrong: a piece never changes.

    :param troubles: why outputs did not come, by the number of the task and their names.
    """
    names = [name for name, found in outputs_to_bring(outcome, results) if found]
    whys = [troubles.get((outcome.number, name), "") for name in names]
    is_open = any(not why or why.startswith(ITS_ARCHIVE) for why in whys)
    return is_open or (not names and has_log_to_bring(outcome, results))


def remove_unused(results: Results, unused: Iterable[str], own_files: OwnFiles) -> None:
    """Remove archives in which nothing is any more that counts, if they are ours.

    :param unused: their paths, relative to outdir.
    :raises TransferError: one cannot be removed.
    """
    paths = list(map(Name, unused))
    if not paths:
        return
    try:
        with Inside(results.outdir) as outdir:
            own = Own(outdir, own_files.marks(paths))
            own_files.forget([path for path in paths if own.remove(path)])
    except OSError as error:
        raise TransferError(f"an archive cannot be removed: {error}", hint="fix the cause and collect again") from error


def _free_place(outdir: Inside, results: Results) -> Name:
    """Return the path of the archive that comes after all that are there."""
    numbers = [0]
    folder = outdir.look(Name(ARCHIVES))
    if folder is not None:
        names = [name.removesuffix(".tar") for name, _ in outdir.list(Name(ARCHIVES))]
        numbers += [int(name) for name in names if name.isascii() and name.isdecimal()]
    return results.archive(max(numbers) + 1)


def _remove_earlier(outdir: Inside, outcomes: Sequence[Outcome], own_files: OwnFiles, placed: Placed) -> None:
    """Remove what earlier attempts left here as files, if it is ours."""
    for files in own_files.of_tasks(outcome.number for outcome in outcomes if outcome.place).values():
        own = Own(outdir, files)
        placed.gone.extend(path for path in map(Name, sorted(files, reverse=True)) if own.remove(path))


def _fill(archive: _Archive, pieces: Mapping[Packed, Span | str], outcomes: Sequence[Outcome]) -> None:
    """Write an archive of what is in pieces."""
    known: dict[Packed, _Members] = {}
    with archive.file:
        for outcome in outcomes:
            if outcome.piece is None:  # pragma: no cover  # nobody asks for it
                continue
            packed = Packed(outcome.claim, outcome.piece)
            held = pieces[packed]
            if isinstance(held, str):
                archive.give_up(outcome, held)
                continue
            if packed not in known:
                known.clear()  # tasks of a piece follow each other, nearly
                known[packed] = _Members(held)
            archive.add(outcome, known[packed])


class _Members:
    """What is in a piece, by the name of its sandbox, or of its log."""

    def __init__(self, piece: Span) -> None:
        piece.seek(0)
        self.source = tarfile.open(  # noqa: SIM115  # as long as this
            fileobj=piece, mode="r:", encoding=sys.getfilesystemencoding(), errors="surrogateescape"
        )
        self._by_top: dict[str, list[tarfile.TarInfo]] = {}
        try:
            for member in self.source:
                self._by_top.setdefault(member.name.partition("/")[0], []).append(member)
        except tarfile.TarError as error:
            raise OSError(f"a piece is no archive: {error}") from error

    def below(self, name: str) -> list[tarfile.TarInfo]:
        """Return the member of a name, and what is in it if it is a folder."""
        found = self._by_top.get(name.partition("/")[0], ())
        return [each for each in found if each.name == name or each.name.startswith(f"{name}/")]


@dataclass
class _Archive:
    """An archive that is being written.

    :param placed: where to note what was put where.
    """

    stream: IO[bytes]
    results: Results
    environment: Environment
    placed: Placed
    file: tarfile.TarFile = field(init=False)

    def __post_init__(self) -> None:
        self.file = tarfile.open(  # noqa: SIM115  # `_fill` closes it
            fileobj=self.stream,
            mode="w",
            format=tarfile.GNU_FORMAT,
            encoding=sys.getfilesystemencoding(),
            errors="surrogateescape",
        )

    def add(self, outcome: Outcome, members: _Members) -> None:
        """Write what a task left."""
        sandbox = self.environment.sandbox(outcome.claim, outcome.number, outcome.attempt).rpartition("/")[2]
        for name, found in outputs_to_bring(outcome, self.results):
            if found:
                self._add(outcome, name, f"{sandbox}/{name}", f"{outcome.id}/{name}", members)
        if has_log_to_bring(outcome, self.results):
            log = self.environment.log(outcome.claim, outcome.log).rpartition("/")[2]
            self._add(outcome, "", log, self.results.log(outcome.id), members)

    def give_up(self, outcome: Outcome, why: str) -> None:
        """Note that nothing of a task comes."""
        names = [name for name, found in outputs_to_bring(outcome, self.results) if found]
        self.placed.troubles.extend((outcome.number, name, why) for name in names)

    def _add(self, outcome: Outcome, output: str, source: str, name: str, members: _Members) -> None:
        """Write an output, or the log."""
        try:
            kept = self._write(source, name, members)
        except LeadsOutError as error:
            self.placed.troubles.append((outcome.number, output, str(error)))
            return
        if isinstance(kept, str):
            if output:
                self.placed.troubles.append((outcome.number, output, kept))
            return
        self.placed.kept.append((outcome.number, output, kept))

    def _write(self, source: str, name: str, members: _Members) -> Kept | str:
        """Write a file or folder, and return where it is in the archive; or why it does not come.

        :raises LeadsOutError: a symlink in it leads out of it.
        """
        found = members.below(source)
        whole = next((each for each in found if each.name == source), None)
        if whole is None:
            return GONE
        if whole.isreg():
            self._put(whole, name, members)
            return Kept(self.file.offset - _blocks(whole.size), whole.size)
        if not whole.isdir():
            return ODD
        texts = {each.name[len(source) + 1 :]: each.linkname for each in found if each.issym()}
        links = links_to_make(texts, [self.environment.absolute(f"work/{source}"), source])
        begin = self.file.offset
        for each in found:
            inner = each.name[len(source) + 1 :]
            if not (each.isreg() or each.isdir() or each.issym()):
                return in_folder(inner, ODD)
            try:
                Name(f"{name}/{inner}" if inner else name)
            except UnsafeNameError as error:
                return in_folder(inner, str(error))
            each.linkname = links.get(inner, "")
            self._put(each, f"{name}/{inner}" if inner else name, members)
        return Kept(begin, self.file.offset - begin, is_folder=True)

    def _put(self, member: tarfile.TarInfo, name: str, members: _Members) -> None:
        """Write a member under another name, as nobody's."""
        member.name, member.uid, member.gid, member.uname, member.gname = name, 0, 0, "", ""
        data = members.source.extractfile(member) if member.isreg() else None
        self.file.addfile(member, data)


def _blocks(size: int) -> int:
    """Return how much of an archive data of a size takes."""
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
