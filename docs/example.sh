#!/usr/bin/env bash
# Make the README's example of a review: docs/example.sh DATASET KEY VALUE
# changes one parameter in a clone, prints the report, and writes docs/difference.png, the confusion matrices.
set -euo pipefail
dataset=$1 key=$2 value=$3
project=$(cd "$(dirname "$0")/.." && pwd)
clone=$(mktemp -d)
trap 'rm -rf "$clone"' EXIT

git clone --quiet "$project" "$clone"
cd "$clone"
printf '[cache]\n    dir = "%s"\n' "$project/.dvc/cache" > .dvc/config.local
dvc exp run --quiet --set-param "datasets.$dataset.$key=$value" "evaluate@$dataset" >&2
python -m tools.review HEAD --seeds 3 || [ $? = 1 ] # 1: the gate stops the change
cp "review/$dataset-confusion.png" "$project/docs/difference.png"
