#!/usr/bin/env bash
# All that only a GPU can tell, in the order of its worth, in nine minutes; one JSON of the figures.
#
#   benchmarks/gpu.sh                       on the first GPU, figures in runs/gpu
#   benchmarks/gpu.sh --data skeletons/utd_mhad     and three paired trainings of UTD-MHAD
#   benchmarks/gpu.sh --dry-run             all of it, tiny, on the CPU, to see that it works
#
# Each line has a time limit of its own; what fails or takes too long is said, and the next follows.
# PYTHON names the interpreter; it needs torch 2.11 or newer and the package's dependencies.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PYTHONPATH="$PWD/src:$PWD${PYTHONPATH:+:$PYTHONPATH}" OMP_NUM_THREADS="${OMP_NUM_THREADS:-8}"
python="${PYTHON:-$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python3)}"
out=runs/gpu data="" dry="" only=""
while [ $# -gt 0 ]; do
  case "$1" in
    --dry-run) dry=yes; shift ;;
    --out) out="$2"; shift 2 ;;
    --data) data="$2"; shift 2 ;;
    --only) only="$2"; shift 2 ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; [ "$1" = --help ] && exit 0; exit 2 ;;
  esac
done
mkdir -p "$out" && : >"$out/lines.txt"

# line NAME SECONDS MODULE OPTIONS... runs a benchmark within its limit.
line() {
  local name="$1" limit="$2" begun; shift 2
  [ -n "$only" ] && [[ ",$only," != *",$name,"* ]] && return
  [ -n "$dry" ] && limit=$((30 * limit)) # a busy machine may be slow
  rm -f "$out/$name.json"
  begun=$SECONDS
  timeout --kill-after=5 "$limit" "$python" -m "$@" --json "$out/$name.json" \
    >"$out/$name.log" 2>&1 </dev/null
  local status=$?
  echo "$name $status $((SECONDS - begun)) $limit" | tee -a "$out/lines.txt"
  [ "$status" = 0 ] || tail -n 3 "$out/$name.log" >&2
}

if [ -n "$dry" ]; then
  export TRITON_INTERPRET=1 # kernels run on the CPU, slowly
  data="${data:-synthetic}" fast=graphs # which is left out there: compiling takes minutes
  at=(--device cpu --frames 4); tiny=(--small --classes 2); batch=(--clips-in-batch 4)
  few=(--steps 2 --literal-steps 1) short=(--steps 2) once=(--repeats 1) seeds=1
  whole=(--persons full) mixed=(--persons ntu) some=(--batch 4) bodies=(--bodies 2)
  fused=(--device cpu --bodies 1 --frames 4 --width 8 --blocks 1)
  epochs=(--epochs 2 --sequences 12 --latency 0 --set clips.test_clips=1)
  replayed=(--steps 2 --classes 2) trained=(--steps 1 --set clips.frames=8 --set model.width=8 --set device=cpu
    --set clips.test_clips=1 --set model.backbone=stgcn++)
else
  at=(--device cuda --precision bf16); tiny=(); batch=() fast=compiled,both
  fused=("${at[@]}")
  few=(--steps 30 --literal-steps 5) short=(--steps 10) once=(--repeats 20) seeds=3
  whole=(--persons full) mixed=(--persons ntu) some=(--batch 256) bodies=(--bodies 128)
  epochs=(--epochs 3 --latency 2) replayed=(--steps 12)
  trained=(--set device=cuda --set precision=bf16 --set training.cuda_graphs=true)
fi

line versions 20 benchmarks.versions
line step 100 benchmarks.throughput "${at[@]}" "${tiny[@]}" "${batch[@]}" "${few[@]}" "${whole[@]}" \
  --variants eager,graphs
line products 25 benchmarks.products "${at[@]}" "${bodies[@]}" "${once[@]}"
line replay 30 benchmarks.replay "${at[@]}" "${batch[@]}" "${replayed[@]}" --variants graphs
line compiled 90 benchmarks.throughput "${at[@]}" "${tiny[@]}" "${batch[@]}" "${few[@]}" \
  "${whole[@]}" --variants "$fast"
line blocks 50 benchmarks.gpu_kernels "${fused[@]}" "${once[@]}"
[ -n "$dry" ] || # the interpreter would take too long
  line fused 60 benchmarks.throughput "${at[@]}" "${few[@]}" "${whole[@]}" --variants kernels
line inference 25 benchmarks.inference "${at[@]}" "${tiny[@]}" "${some[@]}" "${once[@]}"
line kernels 25 benchmarks.kernels "${at[@]}" "${tiny[@]}" "${batch[@]}" "${short[@]}" "${whole[@]}"
line mix 35 benchmarks.throughput "${at[@]}" "${tiny[@]}" "${batch[@]}" "${few[@]}" "${mixed[@]}" \
  --variants graphs
line epoch 40 benchmarks.epoch "${at[@]}" "${tiny[@]}" "${batch[@]}" "${epochs[@]}"
line pipeline 30 benchmarks.pipeline "${at[@]}" "${tiny[@]}" "${batch[@]}" "${short[@]}" "${once[@]}"
if [ -n "$data" ]; then
  line accuracy 180 benchmarks.gpu_accuracy "$data" --seeds "$seeds" "${trained[@]}"
fi
exec "$python" -m benchmarks.gpu_figures "$out"
