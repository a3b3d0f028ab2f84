#!/usr/bin/env bash
# The README's example of a review, made in a clone: docs/example.sh DATASET KEY VALUE
# prints the report on a change of one parameter, and draws the confusion matrices beside this file.
set -euo pipefail
dataset=$1 key=$2 value=$3
project=$(cd "$(dirname "$0")/.." && pwd)
clone=$(mktemp -d)
trap 'rm -rf "$clone"' EXIT

git clone --quiet "$project" "$clone"
cd "$clone"
dvc cache dir --local "$project/.dvc/cache"
dvc exp run --quiet --set-param "datasets.$dataset.$key=$value" "evaluate@$dataset" >&2
python -m tools.review HEAD || [ $? = 1 ]
cp "review/$dataset-confusion.png" "$project/docs/difference.png"
