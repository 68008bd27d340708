"""Runs a training as a Slurm job: the batch script, its submission, and what becomes of it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from allocations import Allocation
from binding import cpus_here, mapping_words, shared_cores
from console import EXIT_USAGE, LauncherError, say
from interfaces import interface_words
from job import program_words
from message_folder import shortage
from paths import as_named
from probe import shared_memory
from run_files import BEFORE_FILE, JOB_FILE, LOST_FILES, SCRIPT_FILE, SLURM_CANCELLED, STATUS_FILE
from running import RestartPlan

SIGNAL_SECONDS = 180  # before the time limit; a third of a short one
MOST_RESTARTS = 10  # of a job that failed by no fault of its experiment
NO_COPY = ("--mca", "btl_vader_single_copy_mechanism", "none")  # containers often forbid it
BINDING = as_named(Path(__file__).resolve().with_name("binding.py"))


@dataclass
class Request:
    """What is asked of Slurm for one training."""

    nodes: str = "1"  # a number, or the least and the most as in 1-4
    ranks_per_node: int = 1
    threads: int = 1
    gpus_per_node: str = ""
    time: str = ""
    partition: str = ""
    job_name: str = ""
    srun: bool = False
    max_restarts: int = MOST_RESTARTS
    sbatch: list[list[str]] = field(default_factory=list)  # the words of other options

    @property
    def is_range(self) -> bool:
        """Whether Slurm chooses the number of nodes."""
        return "-" in self.nodes

    @property
    def most_nodes(self) -> int:
        """That Slurm may give."""
        return int(self.nodes.rpartition("-")[2])

    @property
    def most_ranks(self) -> int:
        """Of all nodes together."""
        return self.most_nodes * self.ranks_per_node


# --- The batch script ---

# The shell gets the signal, USR1 before the time limit or TERM when the job is preempted. Its
# trap runs between two commands; one that comes as `wait` begins would be lost until the job
# ends, so the shell waits in steps of a second, and asks `wait` only for the status. Ranks that
# are being started do not hear, so they are told again each second.
# When a time of grace begins Slurm tells the steps alone, and on one node mpirun makes none.
_SUPERVISE = """\
asked=0
must_end=0
trap 'asked=1' USR1
trap 'must_end=1; asked=1' TERM
tell_deaf() {
  echo "lockstep: a preemption will not be noticed before its time of grace is over: the step" \\
    "that would hear of it has ended (srun: exit code $1)" >&2
}
id=$SLURM_JOB_ID
[ -z "${SLURM_ARRAY_TASK_ID:-}" ] || id=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
show_job() { timeout 10 scontrol show job "$id" 2>/dev/null; }
makes_room() { [ "$must_end" = 1 ] || [[ $(show_job) = *PreemptTime=[0-9]* ]]; }
"${words[@]}" &
job=$!
step=
rounds=
if [ "${SLURM_JOB_NUM_NODES:-}" = 1 ] && [ "${words[0]}" != srun ]; then
  rounds=0
  # ALL: a job of --export=NONE would have srun start it without a PATH.
  srun --overlap --export=ALL --nodes=1 --ntasks=1 --mpi=none sleep infinity \\
    </dev/null >/dev/null 2>&1 &
  step=$!
fi
while kill -0 "$job" 2>/dev/null; do
  if [ -n "$step" ] && ! kill -0 "$step" 2>/dev/null; then
    wait "$step"
    case $? in
      143) must_end=1 asked=1 ;;
      *) tell_deaf $? ;;
    esac
    step=
  fi
  if [ -n "$rounds" ]; then  # Slurm may have told the steps before there was this one
    rounds=$((rounds + 1))
    case $rounds in 3 | 10) ! makes_room || must_end=1 asked=1 ;; esac
  fi
  [ "$asked" = 0 ] || kill -USR1 "$job" 2>/dev/null
  sleep 1
done
trap '' USR1 TERM
[ -z "$step" ] || kill "$step" 2>/dev/null
wait "$job"
status=$?
"""

# The status file as it was, and whether this start wrote it, and was saved on request.
_STATUS = """\
cancelled={cancelled}
folder=${{cancelled%/*}}
read_status() {{ cat "$folder/{status}" 2>/dev/null; }}
before=$(read_status)
has_begun() {{ [ "$(read_status)" != "$before" ]; }}
was_saved() {{ has_begun && [[ $(read_status) = *'"state": "saved"'* ]]; }}
"""

# srun ends with 0 where Slurm ends its step before the ranks are started. mpirun ends with 1,
# whatever its ranks did, where Slurm has sent TERM to all processes, or with 205, as its daemons
# on other nodes do not outlive that; and dies of USR1 when it is about to end, or has not begun.
_REQUEUE = """\
case "$status ${{words[*]}} " in
  *" --dry-run "*) ;;
  "0 srun "*) has_begun || status=4 ;;
esac
[ "$must_end$status" != 11 ] || status=143
[ "$asked" = 0 ] || [ "$status" != 138 ] || status=75
lost=${{cancelled%.*}}.lost${{SLURM_ARRAY_TASK_ID:+.$SLURM_ARRAY_TASK_ID}}
again=0
is_last=0
case $status in
  75) again=1 ;;  # saved, and wants to go on
  4 | 12[89] | 1[3-9][0-9] | 2[0-9][0-9])
    if was_saved; then
      status=75 again=1
    elif makes_room; then
      again=1
    else  # a rank was lost
      echo "$status" >>"$lost"
      again=$(($(wc -l <"$lost") <= {most}))
      is_last=$((! again))
    fi ;;
esac
ended_by_scancel() {{  # Slurm calls both it and a job over its time COMPLETING
  local is; is=$(show_job)
  [[ $is = *JobState=C[AO]* && $is != *Reason=TimeLimit* ]]
}}
is_cancelled() {{ [ -e "$cancelled" ] || [ -e "$cancelled.${{SLURM_ARRAY_TASK_ID:-}}" ]; }}
requeue() {{  # a container may have no scontrol, a cluster may not allow it
  command -v scontrol >/dev/null && scontrol requeue "$id"
}}
again_by="sbatch ${{SLURM_ARRAY_TASK_ID:+--array=$SLURM_ARRAY_TASK_ID }}$(
  printf %q "$folder/{script}")"
tell() {{ echo "lockstep: exit code $status; job $id $1"; }}
if [ "$again$is_last" = 00 ] || is_cancelled || ended_by_scancel; then
  :
elif [ "$is_last" = 1 ]; then
  rm "$lost"
  tell "does not go back to the queue (--max-restarts {most}); to go on, type: $again_by"
elif requeue; then
  tell "goes back to the queue"
else
  tell "could not go back to the queue; to go on, type: $again_by"
fi
exit "$status"
"""


def batch_script(
    request: Request, commands: str, log_pattern: str, cancelled: str,
    environment: dict[str, str],
) -> str:
    """A script for sbatch that runs, in the current folder, the array `words` that the lines
    `commands` set: it passes USR1 on, and puts the job back into the queue when the training
    was saved or lost a rank, unless the file `cancelled` (a word of the shell) is there or
    scancel ended the job. Exit codes 2 and 3 are final."""
    options = [
        f"--job-name={request.job_name}",
        f"--nodes={request.nodes}",
        # With tasks named, Slurm gives the least of a range of nodes, not the most.
        f"--mincpus={request.ranks_per_node * request.threads}" if request.is_range
        else f"--ntasks-per-node={request.ranks_per_node}",
        f"--cpus-per-task={request.threads}",
        f"--output={log_pattern}",
        "--open-mode=append",
        "--requeue",
        f"--signal=B:USR1@{signal_seconds(request.time)}",
    ]
    if request.gpus_per_node:
        options.append(f"--gpus-per-node={request.gpus_per_node}")
    if request.time:
        options.append(f"--time={request.time}")
    if request.partition:
        options.append(f"--partition={request.partition}")
    words = [*([option] for option in options), *request.sbatch]
    lines = ["#!/bin/bash", *(f"#SBATCH {' '.join(map(_quoted, each))}" for each in words), ""]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    folder = shlex.quote(as_named(os.getcwd()))
    other = "" if folder == shlex.quote(os.getcwd()) else f"cd {shlex.quote(os.getcwd())} || "
    lines += [f"cd {folder} || {other}exit 1", commands]
    status = _STATUS.format(cancelled=cancelled, status=STATUS_FILE)
    requeue = _REQUEUE.format(most=request.max_restarts, script=SCRIPT_FILE)
    return "\n".join(lines) + "\n" + status + _SUPERVISE + requeue


def _quoted(word: str) -> str:
    """A word of a line of the script; sbatch reads what stands within quotes as one."""
    if re.search(r"[\x00-\x1f]", word):
        raise LauncherError(f"{word!r}: sbatch takes no control characters", EXIT_USAGE)
    if re.fullmatch(r"[-\w=/.,:@%+\[\]]+", word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def sbatch_words(text: str) -> list[str]:
    """The value of --sbatch, split as by a shell: an option and what belongs to it."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise LauncherError(f"--sbatch is {text!r}: {error}", EXIT_USAGE) from None
    if not words:
        raise LauncherError(f"--sbatch is {text!r}: expected an option as --account=x", EXIT_USAGE)
    return words


def file_pattern(path: Path) -> str:
    """The path as sbatch wants it, to which % is the beginning of a pattern; but not in a path
    with backslashes, which sbatch takes away."""
    text = str(path)
    return text.replace("\\", "\\\\") if "\\" in text else text.replace("%", "%%")


def signal_seconds(limit: str) -> int:
    """How long before the time limit the job is told to save."""
    seconds = limit_seconds(limit)
    return min(SIGNAL_SECONDS, seconds // 3) if seconds else SIGNAL_SECONDS


def limit_seconds(limit: str) -> int:
    """Slurm's time limit (M, M:S, H:M:S, D-H, D-H:M, D-H:M:S) in seconds; 0 for none."""
    if not limit:
        return 0
    match = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", limit)
    if not match:
        raise LauncherError(
            f"--time is {limit!r}: expected minutes, minutes:seconds, hours:minutes:seconds or "
            "days-hours:minutes:seconds",
            EXIT_USAGE,
        )
    days, first, second, third = (int(part) if part else None for part in match.groups())
    if days is not None:
        hours, minutes, seconds = first, second or 0, third or 0
    elif third is not None:
        days, hours, minutes, seconds = 0, first, second, third
    else:
        days, hours, minutes, seconds = 0, 0, first, second or 0
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def parallel_words(request: Request) -> list[str]:
    """What the shell finds before the program: it starts the ranks in the allocation."""
    if request.srun:
        # From 22.05 on srun does not take --cpus-per-task from the allocation; without
        # --kill-on-bad-exit the others would wait for a dead rank.
        ranks = f"$((SLURM_JOB_NUM_NODES * {request.ranks_per_node}))"
        return ["srun", "--mpi=pmix", "--kill-on-bad-exit=1", f"--ntasks={ranks}",
                f"--ntasks-per-node={request.ranks_per_node}",
                f"--cpus-per-task={request.threads}"]
    # What the first node has to bind ranks to is known there alone.
    ranks, threads = request.ranks_per_node, request.threads
    map_by = (f"$(python3 {shlex.quote(BINDING)} {ranks} {threads} || "
              f"echo --map-by ppr:{ranks}:node --bind-to none)")
    far = [] if request.most_nodes == 1 else interface_words(None)
    return ["mpirun", map_by, *NO_COPY, *far]


def slurm_words(around: Allocation, ranks: int, threads: int, env: dict[str, str]) -> list[str]:
    """mpirun in the Slurm job around this process, on the first `ranks` that it has room for."""
    most = max(around.ranks_by_node)
    is_even = min(around.ranks_by_node) == most
    node = cpus_here() if "SLURMD_NODENAME" in env else None  # else this may be a login host
    here = min(ranks, most)
    if node:
        for text in (shared_cores(here, threads, node.logical), shortage(here, shared_memory())):
            if text:
                say(f"lockstep: {text}")
    # slot: as many on each node as Slurm gives it.
    map_by = mapping_words(f"ppr:{most}:node" if is_even else "slot", here, threads, node)
    return ["mpirun", "-np", str(ranks), *map_by, *NO_COPY]


# --- Submission ---


def submit(script: str, run_dir: Path, request: Request) -> str:
    """Keeps the script in the run folder and gives it to sbatch; returns the job's number."""
    need("sbatch")
    run_dir.mkdir(parents=True, exist_ok=True)
    for old in (*run_dir.glob(f"{SLURM_CANCELLED}*"), *run_dir.glob(LOST_FILES)):
        old.unlink(missing_ok=True)
    # No clock tells whether the training has begun: those of hosts and file server differ.
    status = run_dir / STATUS_FILE
    (run_dir / BEFORE_FILE).write_bytes(status.read_bytes() if status.is_file() else b"")
    path = run_dir / SCRIPT_FILE
    path.write_text(script)
    path.chmod(0o755)
    done = subprocess.run(["sbatch", "--parsable", str(path)], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if "error" in line] or ["no output"]
        raise LauncherError(f"sbatch: {lines[0].removeprefix('sbatch: error: ')}", EXIT_USAGE)
    job = done.stdout.strip().split(";")[0]
    record = {"job": job, "nodes": request.nodes, "ranks_per_node": request.ranks_per_node,
              "threads": request.threads}
    (run_dir / JOB_FILE).write_text(json.dumps(record, indent=2) + "\n")
    return job


def need(program: str) -> None:
    """Ends with one line where a program of Slurm is not there."""
    if not shutil.which(program):
        raise LauncherError(f"no {program} here: this is not a host of a Slurm cluster")


def job_of(run_dir: Path) -> str | None:
    """The number of the last job submitted for a run folder."""
    try:
        return str(json.loads((run_dir / JOB_FILE).read_text())["job"])
    except (OSError, ValueError, KeyError):
        return None


def job_states(jobs: list[str]) -> dict[str, str]:
    """By number, what squeue says of the jobs that it knows: RUNNING on n[1-2], PENDING, ...;
    of an array, how many of its jobs are in which state: 2 RUNNING, 1 PENDING; and each of
    them, as 7_0."""
    if not jobs or not shutil.which("squeue"):
        return {}
    jobs = list(dict.fromkeys(job.partition("_")[0] for job in jobs))
    done = subprocess.run(
        ["squeue", "--noheader", "--array", "--format=%F|%K|%T|%R", "--jobs", ",".join(jobs)],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
    )
    # It fails as a whole for one that it has forgotten.
    if done.returncode != 0 and len(jobs) > 1:
        return {job: state for each in jobs for job, state in job_states([each]).items()}
    found: dict[str, list[tuple[str, str]]] = {}
    for line in done.stdout.splitlines():
        job, task, state, where = line.split("|", 3)
        found.setdefault(job, []).append((state, where))
        found[f"{job}_{task}"] = [(state, where)]
    return {job: _state_of(each) for job, each in found.items()}


def _state_of(jobs: list[tuple[str, str]]) -> str:
    """Of one job, or of those of an array."""
    if len(jobs) > 1:
        counts = Counter(state for state, _ in jobs)
        return ", ".join(f"{count} {state}" for state, count in counts.items())
    state, where = jobs[0]
    return f"{state} on {where}" if state == "RUNNING" else f"{state} {where}"


def train_commands(binary: Path, plan: RestartPlan, request: Request) -> str:
    """Lines of the shell that set `words`: a training as it was asked for until it has begun,
    and then one that goes on wherever its run folder is."""
    def words(arguments: list[str]) -> str:
        program = program_words(binary, "train", arguments, request.threads)
        return " ".join([*parallel_words(request), *(shlex.quote(word) for word in program)])

    status, before = (shlex.quote(str(plan.run_dir / name)) for name in (STATUS_FILE, BEFORE_FILE))
    return (f"words=({words(plan.again)})\n"
            f"if [ ! -e {status} ] || cmp -s {status} {before}; then "
            f"words=({words(plan.first)}); fi")
