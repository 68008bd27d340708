"""launcher/lockstep doctor: looks at all that a training needs, and says what is wrong."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import probe
from allocations import Allocation, allocation
from build import Project
from checks_of_folder import check_folder, check_locks_of_hosts
from checks_of_machine import check_cores, check_files, check_gpus, check_memory, check_mpirun
from checks_of_machine import check_networks, check_program, check_ranks, check_shared_memory
from console import EXIT_USAGE, LauncherError
from findings import Finding, as_json, as_table
from hosts import Host, is_here, place
from job import Machine, Shape, choose_shape, models_folder, part_of, this_machine
from options import Options
from paths import as_named
from preflight import AGENT, Needs, agent, ask_all, judge, room_problems
from surroundings import check_alone

EXIT_WARNING = 1


def run_doctor(project: Project, options: Options) -> int:
    """Prints what it finds; 1 where something is wrong. It installs and builds nothing."""
    as_script = "--json" in options.rest
    if rest := [word for word in options.rest if word != "--json"]:
        raise LauncherError(f"doctor: {rest[0]!r}; expected -np, --threads, --hosts, --hostfile, "
                            "--interface, --oversubscribe or --json", EXIT_USAGE)
    findings = look(project, options)
    print((as_json if as_script else as_table)(findings), end="")
    sys.stdout.flush()
    return EXIT_WARNING if any(each.advice for each in findings) else 0


def look(project: Project, options: Options) -> list[Finding]:
    """All findings."""
    machine = this_machine()
    started, around = _started(project.binary)
    hosts = options.hosts or (around.hosts if around else [])
    if around and len(hosts) == 1 and is_here(hosts[0].name):
        machine, hosts = part_of(machine, hosts[0].cpus), []
    shape = _shape(options, around, machine)
    findings = [started, check_cores(machine)]
    if not hosts:
        findings.append(check_ranks(shape, machine, bool(around and not around.hosts)))
    several = len(hosts) > 1 or bool(around and len(around.ranks_by_node) > 1)
    findings += [check_networks(several), check_shared_memory(shape.ranks), check_memory(),
                 check_files(shape.ranks), *check_folder(models_folder(project.root)),
                 check_gpus(), check_mpirun(project.root, machine), check_program(project.binary)]
    if hosts:
        if around and around.agent:
            os.environ.setdefault(AGENT, around.agent)
        findings += check_hosts(project, options, hosts)
    return findings


def _started(binary: Path) -> tuple[Finding, Allocation | None]:
    """From where, and the job around."""
    host = socket.gethostname()
    try:
        check_alone("train", binary, dict(os.environ))
        around = allocation(dict(os.environ))
    except LauncherError as error:
        return Finding("started", f"on {host}", str(error)), None
    if around is None:
        starters = [name for mark, name in (("OMPI_COMM_WORLD_SIZE", "mpirun"),
                                            ("SLURM_STEP_NUM_TASKS", "srun"),
                                            ("FLUX_TASK_RANK", "flux run"),
                                            ("PALS_RANKID", "PALS")) if mark in os.environ]
        where = f"by {starters[0]}, as one task" if starters else "from a shell"
        return Finding("started", f"{where} on {host}"), None
    if around.hosts:
        names = [f"{each.name}:{each.slots}" if each.slots else each.name for each in around.hosts]
        text = ",".join(names[:8]) + (",..." if len(names) > 8 else "")
    else:
        text = f"{len(around.ranks_by_node)} nodes, room for {around.ranks} ranks of " \
               f"{around.threads} thread{'' if around.threads == 1 else 's'}"
    return Finding("started", f"in {around.job} ({text}) on {host}"), around


def _shape(options: Options, around: Allocation | None, machine: Machine) -> Shape:
    """Ranks and threads of this host."""
    if around and around.ranks_by_node and not options.hosts:
        ranks = min(options.ranks or around.ranks, around.ranks_by_node[0])
        return Shape(ranks, options.threads or around.threads)
    return choose_shape(lambda: machine.cores, options.ranks, options.threads, machine)


# --- Hosts ---


def check_hosts(project: Project, options: Options, hosts: list[Host]) -> list[Finding]:
    """Each is asked what a training would ask it."""
    needs = Needs(as_named(project.binary), [], as_named(os.getcwd()),
                  [as_named(models_folder(project.root))])
    answers, lines = ask_all(hosts, needs)
    named = dict(line.split(": ", 1) for line in lines)
    problems = judge(answers, needs, probe.digest_of(needs.program) or "")
    if not options.oversubscribe and answers:
        slots, threads = place(None, hosts, options.threads, answers)
        room = room_problems(answers, slots, threads, needs)
        problems = {name: [*found, *room[name]] for name, found in problems.items()}
    findings = []
    for host in hosts:
        topic = f"host {host.name}"
        if host.name not in answers:
            why = named[host.name].removeprefix("not reached: ")
            findings.append(Finding(topic, "not reached", why))
            continue
        answer = answers[host.name]
        text = (f"{answer['cores']} cores, {answer['gpus']} GPUs, "
                f"{', '.join(answer['networks']) or 'no network'}")
        findings.append(Finding(topic, text, "; ".join(problems[host.name])))
    others = {name: [*agent(), name] for name in answers if not is_here(name)}
    return findings + check_locks_of_hosts(models_folder(project.root), others)
