#!/usr/bin/env bash
# rpc.sh PROGRAM MODEL: what it costs to have layers of a model behind aigw rpc-worker, on this machine, through the tunnel.
# Nothing else should run meanwhile. One line a setting: tokens a second of 64 greedy tokens, and of a prompt of some hundred.
set -euo pipefail
program=$(realpath "${1:?usage: rpc.sh PROGRAM MODEL}")
model=$(realpath "${2:?usage: rpc.sh PROGRAM MODEL}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"; jobs -p | xargs -r kill 2>/dev/null' EXIT
export AIGW_AUTH__BYPASS_EXTERNAL=true
here=$("$program" rpc-worker fingerprint --state-dir "$scratch/here")
there=$("$program" rpc-worker fingerprint --state-dir "$scratch/there")

# ask PROMPT TOKENS: seconds, and tokens of the prompt.
ask() {
	curl -sS -o "$scratch/answer" -w '%{time_total} ' http://127.0.0.1:5999/v1/completions \
		-d "{\"prompt\":\"$1\",\"max_tokens\":$2,\"temperature\":0,\"ignore_eos\":true}"
	grep -o '"prompt_tokens":[0-9]*' "$scratch/answer" | cut -d: -f2
}

# measure LABEL THREADS [LAYERS ON THE WORKER]
measure() {
	local label=$1 threads=$2 worker='' rpc=(--gpu-layers 0)
	if [ $# -gt 2 ]; then
		"$program" rpc-worker --listen 127.0.0.1:50999 --state-dir "$scratch/there" --peer "$here" --threads "$threads" 2>"$scratch/worker.log" &
		worker=$!
		until grep -q '"rpc worker"' "$scratch/worker.log"; do sleep 0.1; done
		rpc=(--gpu-layers "$3" --rpc 127.0.0.1:50999 --rpc-peer "$there")
	fi
	"$program" run --model "$model" --ctx 1024 --threads "$threads" --calibrate off --chat-warmup off --draft-tokens 0 --openai-insecure \
		--listen 127.0.0.1:5999 --metrics-listen 127.0.0.1:5998 --state-dir "$scratch/here" "${rpc[@]}" 2>"$scratch/run.log" &
	local run=$!
	until curl -sf -o /dev/null http://127.0.0.1:5999/monitoring/ready; do
		kill -0 $run || { tail -n 1 "$scratch/run.log" >&2; exit 1; }
		sleep 0.1
	done
	ask warm 8 >/dev/null
	local decode prompt
	decode=$(ask 'def fibonacci(n):\n    return' 64)
	prompt=$(ask "$(for i in $(seq 60); do printf 'x = compute(%s)\\n' "$i"; done)" 1)
	awk -v label="$label" -v d="${decode% *}" -v p="${prompt% *}" -v n="${prompt#* }" \
		'BEGIN { printf "%-34s %6.1f tokens/s written, %6.1f tokens/s of a prompt of %d\n", label, 64 / d, n / p, n }'
	for process in $run $worker; do
		kill "$process"
		wait "$process"
	done
}

for threads in 1 2; do
	measure "here, $threads threads" $threads
	measure "all layers there, $threads threads" $threads all
	measure "12 layers there, $threads threads" $threads 12
done
