"""Ranks in containers of their own: they share memory another way, with the same result."""

import os
import subprocess
import unittest

from lockstep_run import BINARY, TIME_LIMIT_SECONDS, LockstepTest

# The processes of a rank have numbers of their own.
OWN_PROCESSES = ["unshare", "--pid", "--fork", "--mount-proc"]
OWN_USER = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]
# And a /dev/shm of their own too.
OWN_SHM = [*OWN_PROCESSES, "sh", "-c", 'mount -t tmpfs tmpfs /dev/shm && exec "$@"', "sh"]
# And a file system of their own, of which only temporary files can be written, as of an image; the
# next word is where to make it.
ROOT = ('r=$(mktemp -d -p "$0"); t=${TMPDIR:-/tmp}; mount --rbind / $r; '
        "mount -o remount,bind,ro $r; mount --bind $t $r$t; "
        "mount -t tmpfs tmpfs $r/dev/shm; mount -t proc proc $r/proc; "
        'exec chroot $r "$@"')
OWN_ROOT = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", ROOT]


@unittest.skipUnless(os.geteuid() == 0, "namespaces need root")
class ContainersTest(LockstepTest):
    place = None  # not in /dev/shm, which each rank may have of its own

    def train_in(self, container, name, ranks=2):
        """Trains with each rank in a container; its output."""
        command = ["mpirun", "-q", "-np", ranks, "--oversubscribe", "--bind-to", "none", *container,
                   BINARY, "train", self.experiment, "--run-dir", self.folder / name,
                   "--resume", "never", "--threads", 1]
        environment = self.environment()
        environment.pop("OMPI_MCA_btl", None)  # the program knows what goes there
        done = subprocess.run(list(map(str, command)), env=environment, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=TIME_LIMIT_SECONDS)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def test_the_same_weights(self):
        alone = self.run_binary("train", self.experiment, "--run-dir", self.folder / "alone",
                                "--threads", 1, ranks=None)
        self.assertEqual(alone.returncode, 0, alone.stderr)
        expected = self.digest_of(alone)
        # A rank that is not the first process of its container has another number there.
        second = ["sh", "-c", '"$@"; exit $?', "sh"]
        by_rank = [*OWN_PROCESSES, "sh", "-c", 'if [ "$OMPI_COMM_WORLD_RANK" = 1 ]; then '
                   'sh -c \'"$@"; exit $?\' sh "$@"; else exec "$@"; fi', "sh"]
        for name, container, words in (
                ("second", [*OWN_PROCESSES, *second], "they share it by files in /dev/shm"),
                ("unlike", by_rank, "they share it by files in /dev/shm"),
                ("pid", OWN_PROCESSES, "they share it by files in /dev/shm"),
                ("user", OWN_USER, "they share it by files in /dev/shm"),
                ("shm", OWN_SHM, "and sum by messages, which is slower"),
                ("root", [*OWN_ROOT, self.folder], "and sum by messages, which is slower")):
            with self.subTest(name):
                done = self.train_in(container, name)
                self.assertEqual(self.digest_of(done), expected)
                self.assertEqual((done.stdout + done.stderr).count(words), 1)


if __name__ == "__main__":
    unittest.main()
