# Completion of `lockstep` in bash: commands, options, experiment files, run folders.
# In ~/.bashrc:  source <this project>/launcher/completion.bash
# tests/launcher/completion_test.py compares the options with the commands' --help.

_lockstep_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

_lockstep_commands="train evaluate predict submit report bench inspect pack verify export
  serve plan sweep build test install slurm status logs cancel doctor"

_lockstep_options() {
  local parallel="-np --threads --hosts --hostfile --interface --oversubscribe"
  parallel="$parallel --print-command --help"
  local data="--data --member --labels"
  case $1 in
    train) echo "--set --run-dir --resume --print-config --dry-run --max-restarts $parallel" ;;
    evaluate) echo "$data --top-k --average-flips --average-shifts --out --json $parallel" ;;
    predict) echo "$data --out --json --top $parallel" ;;
    submit) echo "$data --out --columns $parallel" ;;
    report) echo "--out $parallel" ;;
    bench) echo "--set --steps --json $parallel" ;;
    inspect) echo "--json --member --labels --label-column --set --print-command --help" ;;
    pack) echo "--out --member --labels --experiment --set $parallel" ;;
    verify) echo "--from --to $parallel" ;;
    export) echo "--format --out --print-command --help" ;;
    serve) echo "--port --threads --print-command --help" ;;
    plan) echo "--set --ranks --network --ranks-per-node --cores-per-node --threads --json
      --print-command --help" ;;
    sweep) echo "--set --samples --sample-seed --jobs -np --threads --run-dir --resume --task
      --slurm --time --partition --sbatch --print --dry-run --print-command --help" ;;
    slurm) echo "--set --nodes --ranks-per-node --threads --gpus-per-node --time --partition
      --job-name --run-dir --resume --srun --max-restarts --sbatch --print --help" ;;
    logs) echo "--follow --help" ;;
    status | cancel) echo "--help" ;;
    doctor) echo "-np --threads --hosts --hostfile --interface --oversubscribe --json --help" ;;
  esac
}

# Fills COMPREPLY with the words of $1, or the paths on stdin, that begin with $2.
_lockstep_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2"); }
_lockstep_paths() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY
}

# Experiment files and folders below $1; where it is empty, those of configs/.
_lockstep_experiments() {
  local start=$1
  if [[ -z $start ]]; then
    local folder
    for folder in configs "$_lockstep_folder/configs"; do
      [[ -d $folder ]] && start=$folder/ && break
    done
  fi
  compgen -f -- "$start" | grep -E '\.(textproto|txtpb|pbtxt|prototxt)$'
  compgen -d -- "$start"
}

# Run folders and whatever else begins with $1; where it is empty, the runs in models/.
_lockstep_runs() {
  local run
  for run in models/*/ models/*/*/; do
    run=${run%/}
    [[ -f $run/experiment.textproto && $run == "$1"* ]] && echo "$run"
  done
  [[ -n $1 ]] && compgen -f -- "$1"
}

_lockstep() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  local command=${COMP_WORDS[1]}
  if ((COMP_CWORD == 1)); then
    _lockstep_words "$_lockstep_commands --help --version" "$word"
    return
  fi
  case $before in
    --format) _lockstep_words "onnx torchscript safetensors" "$word"; return ;;
    --resume)
      _lockstep_paths < <({ compgen -W "auto never" -- "$word"; _lockstep_runs "$word"; } | sort -u)
      return ;;
    --run-dir | --data | --labels | --experiment | --out | --hostfile) _lockstep_paths < <(compgen -f -- "$word"); return ;;
    --set | --member | --top | --steps | --from | --to | --port | --threads | -np | \
      --max-restarts | --label-column | --hosts | --interface | --ranks | --ranks-per-node | \
      --cores-per-node | --nodes | --time | --partition | --job-name | --sbatch | --samples | \
      --sample-seed | --jobs | --task | --gpus-per-node) return ;;
    --network) _lockstep_words "1GbE 10GbE 25GbE 100GbE 200Gb 400Gb" "$word"; return ;;
  esac
  if [[ $word == -* ]]; then
    _lockstep_words "$(_lockstep_options "$command")" "$word"
    return
  fi
  case $command in
    train | bench | plan | slurm | sweep) _lockstep_paths < <(_lockstep_experiments "$word" | sort -u) ;;
    inspect)
      _lockstep_paths < <({ _lockstep_experiments "$word"; _lockstep_runs "$word"; } | sort -u) ;;
    evaluate | predict | submit | report | verify | export | serve | status | logs | cancel)
      _lockstep_paths < <(_lockstep_runs "$word" | sort -u) ;;
    pack) _lockstep_paths < <(compgen -f -- "$word") ;;
    install)
      if [[ ${COMP_WORDS[2]} == datasets ]] && ((COMP_CWORD > 2)); then
        _lockstep_words "icons stamps sprites sklearn_digits glyphs" "$word"
      else
        _lockstep_words "build test ci bench datasets" "$word"
      fi ;;
  esac
}

complete -F _lockstep lockstep
