"""What starts a command of the program: on this machine, on hosts, or in a scheduler's job."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from allocations import Allocation, allocation, no_room
from binding import shared_cores
from build import Project
from console import EXIT_USAGE, LauncherError, say
from experiment import Experiment
from hosts import Host, Placement, command_line_on_hosts, is_here
from interfaces import interface_words
from job import LANE_COMMANDS, PARALLEL_COMMANDS, choose_shape, command_line
from job import environment, part_of, program_words, this_machine
from options import Options
from paths import as_named
from preflight import AGENT, Needs, Wishes, experiment_of, needs_of, prepare_hosts
from preflight import prepare_hosts_left
from running import RestartPlan, plan_restarts
from slurm import slurm_words
from surroundings import check_for_mpirun


class Starts:
    """Makes the words for each start of one command of the program, in the user's folder."""

    def __init__(self, project: Project, command: str, options: Options) -> None:
        self._project = project
        self._command = command
        self._options = options
        self._binary = Path(as_named(project.binary))
        self._is_parallel = command in PARALLEL_COMMANDS
        self._machine = this_machine()
        self._around = self._allocation_around()
        self._wishes: Wishes | None = None
        self._needs: Needs | None = None
        self._placement: Placement | None = None
        self._starts = 0
        self.plan: RestartPlan | None = None
        if options.max_restarts:
            self.plan = plan_restarts(options.rest, options.max_restarts, project.root,
                                      lambda: self.experiment().name)
        if hosts := options.hosts or (self._around.hosts if self._around else []):
            self._prepare(hosts)

    @property
    def arguments(self) -> list[str]:
        """The program's, of the first start."""
        return self.plan.first if self.plan else self._options.rest

    def environment(self) -> dict[str, str]:
        """What the program finds in its environment."""
        return environment(Path(as_named(self._project.root)), self._machine)

    @functools.cache
    def prepare(self) -> None:
        """Brings the program up to date."""
        self._project.prepare()

    @functools.cache
    def experiment(self) -> Experiment | None:
        """That of the command."""
        self.prepare()
        return experiment_of(self._project.binary, self._command, self._options.rest)

    def words_again(self, arguments: list[str]) -> list[str]:
        """As words(), of each start on the hosts that are left."""
        self._starts += 1
        if self._placement and self._starts > 1:
            self._placement = prepare_hosts_left(self._lanes(), self._wishes, self._needs)
        return self.words(arguments)

    def words(self, arguments: list[str]) -> list[str]:
        """The words that start the command."""
        binary = self._binary
        if not self._is_parallel:
            return [str(binary), self._command, *arguments]
        if self._placement:
            check_for_mpirun(self._placement.ranks, dict(os.environ))
            return command_line_on_hosts(binary, self._command, arguments, self._placement)
        if self._around:
            return self._words_of_slurm(self._around, arguments)
        shape = choose_shape(lambda: self._lanes() or self._machine.cores, self._options.ranks,
                             self._options.threads, self._machine)
        if shape.ranks > 1:
            check_for_mpirun(shape.ranks, dict(os.environ))
            if text := shared_cores(shape.ranks, shape.threads, self._machine.cores):
                say(f"lockstep: {text}")
        return command_line(binary, self._command, arguments, shape, self._machine)

    # --- The job around ---

    def _allocation_around(self) -> Allocation | None:
        """The job that the command is to use; one of this host alone is a part of the machine."""
        around = None
        if self._is_parallel and not self._options.hosts:
            around = allocation(dict(os.environ))
        if not around:
            if not self._options.hosts and (
                    self._options.interface or self._options.oversubscribe):
                raise LauncherError("--interface and --oversubscribe go with --hosts", EXIT_USAGE)
            return None
        if len(around.hosts) == 1 and is_here(around.hosts[0].name):
            self._machine = part_of(self._machine, around.hosts[0].cpus)
            if (self._options.ranks or 1) > self._machine.cores:
                raise no_room(self._options.ranks, self._machine.cores, 1, around.job)
            return None
        if around.agent:
            os.environ.setdefault(AGENT, around.agent)
        return around

    def _words_of_slurm(self, around: Allocation, arguments: list[str]) -> list[str]:
        """All of the job but ranks without work, or what the user asked for."""
        if (self._options.ranks or 1) > around.ranks:
            raise no_room(self._options.ranks, around.ranks, around.threads, around.job)
        ranks = self._options.ranks or min(around.ranks, self._lanes() or around.ranks)
        threads = self._options.threads or around.threads
        check_for_mpirun(ranks, dict(os.environ))
        program = program_words(self._binary, self._command, arguments, threads)
        is_far = len(around.ranks_by_node) > 1
        return [*slurm_words(around, ranks, threads, dict(os.environ)),
                *(interface_words(self._options.interface) if is_far else []), *program]

    # --- Hosts ---

    def _lanes(self) -> int | None:
        return self.experiment().lanes if self._command in LANE_COMMANDS else None

    def _prepare(self, hosts: list[Host]) -> None:
        """Asks them whether they have what the command needs."""
        self.prepare()
        options = self._options
        self._wishes = Wishes(hosts, options.threads, options.interface, options.oversubscribe,
                              options.ranks, self._around)
        self._needs = needs_of(self._binary, self._command, self.arguments,
                               self.experiment(), self._project.root)
        self._placement = prepare_hosts(self._lanes(), self._wishes, self._needs)
