"""The names of the files in a run folder; include/lockstep/run/run_files.h has the program's."""

# The program's.
EXPERIMENT_FILE = "experiment.textproto"
LOCK_FILE = "lock"
STATUS_FILE = "status.json"
METRICS_FILE = "metrics.jsonl"
FIRST_LOG = "logs/rank-0.log"
MANIFEST_FILE = "manifest.json"  # of each checkpoint

CANCELLED = "cancelled"  # the launcher's: save, and do not begin again
WATCH_FILE = "watched"  # the launcher's, which may start the run again: it looks for the mark above

# A sweep's, of each of its runs.
OUTCOME_FILE = "outcome.json"
OUTPUT_FILE = "output.log"

# Slurm's.
JOB_FILE = "slurm.json"
SCRIPT_FILE = "slurm.sh"
LOG_FILE = "slurm.log"
BEFORE_FILE = "slurm.before"  # status.json as it was when the job was submitted
SLURM_CANCELLED = "slurm.cancelled"  # save, and do not begin again; of one job of an array .N
LOST_FILES = "slurm.lost*"  # a line for each time that a rank was lost
