"""What people see: lines where there is no terminal, bars where there is one, and no name that can spoil either."""

from __future__ import annotations

import io
from dataclasses import replace
from types import SimpleNamespace

import pytest
from rich.console import Console
from rich.text import Text

from locusts_fab.model.swarms import Cause, Counts, JobStatus, ManagerState, ManagerStatus, Status, SwarmState
from locusts_fab.model.usage import Spread, Usage
from locusts_fab.progress import Silent
from locusts_fab.ui import screen as module
from locusts_fab.ui.screen import Screen
from locusts_fab.ui.show import Hanging, show
from locusts_fab.ui.tables import ending_panel, headline, status_panel


def status_of(counts: Counts, state: SwarmState = SwarmState.RUNNING, **more: object) -> Status:
    return Status("pairs", "here", state, counts, 0, **more)  # type: ignore[arg-type]


HALF = Counts(total=10, pending=4, running=1, done=4, failed=1)


# ---------------------------------------------------------------------------------------------------------------------
# Lines


@pytest.mark.parametrize(
    "text",
    ["HLA:A:2", "a:key:b", "[red]x[/red]", "[/]", "12 'x' http://a.b", "x" * 500, "a\\[b]", "{task}", "~/x"],
)
def test_a_note_shows_text_as_it_is(capsys: pytest.CaptureFixture[str], text: str) -> None:
    Screen().note(text)
    captured = capsys.readouterr()
    assert captured.err == f"{text}\n"
    assert captured.out == ""


def set_clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Set the clock of progress to one of ours: a list of one time."""
    now = [1000.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def test_a_long_step_prints_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = set_clock(monkeypatch)
    with Screen().step("staging", 1000) as progress:
        for second in range(25):
            now[0] = 1000.0 + second
            progress.update(second)
    assert capsys.readouterr().err.splitlines() == [f"staging: {second} of 1000" for second in (2, 12, 22)]


def test_a_short_step_prints_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    set_clock(monkeypatch)
    with Screen().step("staging") as progress:
        progress.update(1)
        progress.update(2)
    assert capsys.readouterr() == ("", "")


def test_watching_prints_a_line_when_something_has_changed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = set_clock(monkeypatch)
    with Screen().watching() as show:
        for second in range(25):
            now[0] = 1000.0 + second
            show(status_of(Counts(100, 100 - second, 0, second, 0), started=5.0))
        now[0] += 100
        show(status_of(Counts(100, 0, 0, 100, 0), SwarmState.FINISHED))  # the command itself tells how it ended
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition("running, ")[2] for line in lines] == [
        "0 of 100 done, 100 waiting",
        "10 of 100 done, 90 waiting",
        "20 of 100 done, 80 waiting",
    ]


# ---------------------------------------------------------------------------------------------------------------------
# A terminal


def terminal(width: int = 100) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None, legacy_windows=False)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("total", [10, None])
def test_a_bar(total: int | None) -> None:
    console = terminal()
    with Screen(console).step("staging", total) as progress:
        progress.update(3)
        progress.update(10)
    assert "staging" in printed(console)


def test_watching_on_a_terminal() -> None:
    console = terminal()
    with Screen(console).watching() as show:
        show(status_of(HALF))
    assert "4 of 10 done" in printed(console)


def test_silence(capsys: pytest.CaptureFixture[str]) -> None:
    silent = Silent()
    silent.note("x")
    with silent.step("staging", 10) as progress, silent.watching() as show:
        progress.update(3)
        show(status_of(HALF))
    assert capsys.readouterr() == ("", "")


# ---------------------------------------------------------------------------------------------------------------------
# Tables


def panel(status: Status, width: int = 100) -> str:
    console = terminal(width)
    console.print(status_panel(status))
    return printed(console)


@pytest.mark.parametrize("state", list(SwarmState))
def test_every_state_can_be_shown(state: SwarmState) -> None:
    assert f"pairs on here: {state.value}" in panel(status_of(HALF, state, started=0.0))
    assert f"pairs on here: {state.value}" in panel(status_of(Counts(0, 0, 0, 0, 0), state))


def test_managers_jobs_and_notes_are_shown() -> None:
    shown = panel(
        status_of(
            HALF,
            managers=[ManagerStatus("1-0", "node7", ManagerState.ALIVE, 16, 123, 4)],
            jobs=[JobStatus("99_0", "PENDING", "Resources")],
            notes=["the config has changed"],
        )
    )
    for word in ("1-0", "node7", "alive", "16", "123", "99_0", "PENDING", "Resources", "the config has changed"):
        assert word in shown


def test_ten_thousand_tasks_fit_into_eighty_columns() -> None:
    counts = Counts(total=10_000, pending=4_000, running=64, done=5_924, failed=12)
    lines = panel(status_of(counts, eta_s=11_460.0, elapsed_s=60.0, rate=0.34), 80).splitlines()
    assert max(map(len, lines)) <= 80
    assert "about 3 h 11 min left" in lines[2]


def test_of_many_managers_some_are_shown() -> None:
    managers = [ManagerStatus(f"1-{number}", "node", ManagerState.ALIVE, 1, 0, 0) for number in range(100)]
    jobs = [JobStatus(f"9_{number}", "RUNNING", "") for number in range(100)]
    shown = panel(status_of(HALF, managers=managers, jobs=jobs))
    assert shown.count("and 92 more") == 2


def panel_of_what_the_target_says(text: str) -> str:
    """Return a panel in which a text is the name of a node, the reason of a job, and a note."""
    return panel(
        status_of(
            HALF,
            managers=[ManagerStatus("1-0", text, ManagerState.ALIVE, 1, 0, 0)],
            jobs=[JobStatus("9", "PENDING", text)],
            notes=[text],
        )
    )


@pytest.mark.parametrize("text", ["[red]x", "[/]", "[/red]", "a:key:b", "99_[0-3%2]", "[bold]"])
def test_what_the_target_says_is_shown_as_it_is(text: str) -> None:
    shown = panel_of_what_the_target_says(text)
    assert shown.count(text) == 3


def test_what_the_target_says_cannot_steer_the_terminal() -> None:
    text = "x\x1b]0;title\x07\x1b[2J"
    shown = panel_of_what_the_target_says(text)
    assert "\x1b" not in shown
    assert "\x07" not in shown


# ---------------------------------------------------------------------------------------------------------------------
# What is waited for

WAITING = "cluster: waiting for the [scheduler]"


def on_terminal() -> Screen:
    return Screen(terminal())


def test_elsewhere_a_wait_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    for seconds in range(2, 300):
        screen.waits(WAITING, seconds)
    screen.goes_on()
    screen.waits(WAITING, 2)
    assert capsys.readouterr().err == f"{WAITING}, 2 s so far\n"


def test_on_a_terminal_a_wait_stands_in_its_place_and_goes() -> None:
    screen = on_terminal()
    screen.waits(WAITING, 2)
    screen.waits(f"{WAITING}\x1b[2J\n", 3)
    assert screen._spinner is not None
    screen.goes_on()
    assert screen._spinner is None
    shown = printed(screen.console)
    assert f"{WAITING}\\x1b[2J\\n, 3 s" in shown
    assert "\x1b[2J" not in shown
    screen.goes_on()


def test_a_wait_stands_below_the_status_that_is_watched() -> None:
    screen = on_terminal()
    with screen.watching() as show:
        screen.waits(WAITING, 2)
        show(status_of(HALF))
        screen.waits(WAITING, 12)
        screen._live._live.refresh()  # type: ignore[union-attr]
        screen.goes_on()
    assert f"{WAITING}, 12 s" in printed(screen.console)


def test_a_wait_does_not_spoil_a_bar() -> None:
    screen = on_terminal()
    screen.waits(WAITING, 2)
    with screen.step("sending", 3) as progress:
        screen.waits(WAITING, 3)
        progress.update(3)
        screen.goes_on()
    assert screen._spinner is None


# ---------------------------------------------------------------------------------------------------------------------
# Causes, and what is printed where


CAUSES = [
    Cause("exit 1: [red]no rows", "exit", 1, 1200, ["a\x1b", "b", "c"], "node7", "`locusts logs a` shows all"),
    Cause("signal 9", "signal", 137, 1, ["d"], "", "raise `mem`"),
]


def test_causes_are_shown_with_what_to_do() -> None:
    counts = Counts(total=2000, pending=0, running=0, done=799, failed=1201)
    assert panel(status_of(counts, SwarmState.FINISHED, causes=CAUSES)).splitlines()[2:] == [
        "1,201 failed, 2 causes:",
        "  1,200  exit 1: [red]no rows",
        "         tasks a\\x1b, b, c and 1,197 more; all on node node7",
        "         `locusts logs a` shows all",
        "      1  signal 9",
        "         task d",
        "         raise `mem`",
    ]


def test_of_many_causes_the_first_are_shown() -> None:
    shown = panel(status_of(HALF, causes=CAUSES * 5))
    assert "and 5 more causes: `locusts failures`" in shown


@pytest.mark.parametrize("state", [SwarmState.FINISHED, SwarmState.RUNNING, SwarmState.SUBMITTED, SwarmState.PLANNED])
def test_where_something_failed_the_headline_is_red(state: SwarmState) -> None:
    head = headline(status_of(HALF, state))
    red = [head.plain[span.start : span.end] for span in head.spans if "red" in str(span.style)]
    assert red == [head.plain if state in {SwarmState.FINISHED, SwarmState.PLANNED} else "1 failed"]
    assert not headline(status_of(Counts(5, 0, 0, 5, 0), state)).spans


def test_few_failures_show_in_the_bar() -> None:
    bar = panel(status_of(Counts(total=100_000, pending=0, running=0, done=99_999, failed=1))).splitlines()[1]
    assert (len(bar), bar[-6:]) == (100, " 100 %")


@pytest.mark.parametrize("width", [30, 80, 200])
def test_a_hanging_text_is_broken_between_words(width: int) -> None:
    console = terminal(width)
    text = "see with `locusts logs 000017` what it did and what it printed before it ended, then run it again"
    console.print(Hanging(Text(text), "  12  "))
    first, *others = printed(console).splitlines()
    assert first.startswith("  12  see")
    assert all(line.startswith("      ") and len(line) <= width for line in others)
    assert "`locusts logs 000017`" in printed(console)
    assert " ".join([first[6:], *(line.strip() for line in others)]) == text


def test_a_pipe_gets_whole_lines_without_padding() -> None:
    file = io.StringIO()
    managers = [ManagerStatus("1-0", "node", ManagerState.ALIVE, 1, 0, 0)]
    notes = [f"a note that is {'very ' * 100}long"]
    show(status_panel(status_of(HALF, managers=managers, causes=CAUSES, notes=notes)), file)
    lines = file.getvalue().splitlines()
    assert notes[0] in lines
    assert [line for line in lines if line != line.rstrip() or "\x1b" in line or "━" in line] == []


def test_a_small_window_has_few_rows() -> None:
    managers = [ManagerStatus(f"1-{number}", "node", ManagerState.ALIVE, 1, 0, 0) for number in range(100)]
    jobs = [JobStatus(f"9_{number}", "RUNNING", "") for number in range(100)]
    console = Console(file=io.StringIO(), force_terminal=True, width=80, height=24, color_system=None)
    with Screen(console).watching() as watch:
        watch(status_of(HALF, managers=managers, jobs=jobs, notes=["one", "two"], elapsed_s=5.0))
    assert "two" in printed(console)
    assert "and 94 more" in printed(console)


def test_a_terminal_that_knows_ascii_only_has_a_bar_too() -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    console = Console(file=file, force_terminal=True, width=17, color_system=None, legacy_windows=False)
    console.print(status_panel(status_of(HALF)))
    file.seek(0)
    assert "####x......  50 %" in file.read()


# ---------------------------------------------------------------------------------------------------------------------
# What tasks used


USAGE = Usage(Spread(9, 3.25, 60, 200), Spread(9, 1, 2, 3), Spread(2, 100, 213.4, 213.4), 0.97, advice=("less mem",))


@pytest.mark.parametrize(
    ("usage", "line"),
    [
        (USAGE, "a task took 3.2 s, at most 3 min; 0.97 CPUs; at most 213 MB"),
        (replace(USAGE, peak_mb=None, cpus=None), "a task took 3.2 s, at most 3 min"),
        (replace(USAGE, seconds=None), None),
        (None, None),
    ],
)
def test_what_a_task_used_is_a_line_of_the_status(usage: Usage | None, line: str | None) -> None:
    file = io.StringIO()
    show(status_panel(status_of(HALF, usage=usage)), file)
    assert [each for each in file.getvalue().splitlines() if "a task took" in each] == ([line] if line else [])


def test_at_the_end_it_says_what_to_ask_for_next_time() -> None:
    file = io.StringIO()
    show(ending_panel(status_of(HALF, usage=USAGE)), file)
    assert file.getvalue().splitlines()[-1] == "next time: less mem"
