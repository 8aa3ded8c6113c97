#!/usr/bin/env bash
# The paper's runs, one after the other, each kept as soon as it is done: bash docs/results/run.sh FOLDER
# About twenty core-hours. Given again, it goes on where it was stopped (fracsim resumes every sweep).
# Run it from an installation of its own, under nice, so that edits of the checkout do not reach it.
set -euo pipefail
docs=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
cd "$1"

run() { # RESULT NAME SWEEP...: train, then keep in docs/results/RESULT.csv
    local result=$1 name=$2
    shift 2
    if [ ! -e "$name.done" ]; then
        fracsim sweep "$@" --checkpoint-every 60 --quiet -o "$name.h5"
        touch "$name.done"
    fi
    python "$docs/results.py" "$name.h5" -o "$docs/results/$result.csv"
}

rate=(--set learning_rate=0.001)
run cantor-depth-width fig4-small cantor5-depth-width --set 'width=[10,20,50,100]' --set 'seed=[0,1,2]' "${rate[@]}"
run cantor-depth-width fig4-more20 cantor5-depth-width --set 'width=[20]' --set 'network_depth=[2]' --set 'seed=[3,4,5,6,7]' "${rate[@]}"
run cantor-depth-width fig4-more50 cantor5-depth-width --set 'width=[50]' --set 'network_depth=[5]' --set 'seed=[3,4,5,6,7]' "${rate[@]}"
for fractal in sierpinski vicsek pentaflake; do
    run fractals-depth-width "$fractal-depth" "${fractal}5-depth-width" --set 'width=[10,20,50,100]' "${rate[@]}"
done
run cantor-curves fig5-100 cantor5-curves --set width=100 --set 'seed=[0,1,2,3,4]' "${rate[@]}"
for fractal in sierpinski vicsek pentaflake; do
    run fractals-curves "$fractal-curves" "${fractal}5-curves" --set width=100 "${rate[@]}"
done
run cantor1d-fine fine cantor1d-fine
run cantor1d-fine fine-population cantor1d-fine --set data=population --set steps=100000 --set record_every=5000 \
    --set 'network_depth=[1,3]' "${rate[@]}"
run cantor-curves fig5-200 cantor5-curves --set 'seed=[1,2,3]' "${rate[@]}"
run cantor-depth-width fig4-200 cantor5-depth-width --set 'width=[200]' --set 'seed=[0,1,2]' "${rate[@]}"
run cantor-depth-width fig4-400 cantor5-depth-width --set 'width=[400]' "${rate[@]}"
run cantor-depth-width fig4-slow400 cantor5-depth-width --set 'width=[400]' --set 'network_depth=[5]' --set learning_rate=0.0003
run cantor-depth-width fig4-more400 cantor5-depth-width --set 'width=[400]' --set 'network_depth=[5]' --set 'seed=[1,2]' "${rate[@]}"
run cantor-depth-width fig4-more200 cantor5-depth-width --set 'width=[200]' --set 'network_depth=[4,5]' \
    --set 'seed=[3,4,5,6,7]' "${rate[@]}"
run cantor-depth-width fig4-rates cantor5-depth-width --set 'width=[10,20,50,100]' --set 'seed=[0,1,2]' \
    --set 'learning_rate=[0.002,0.005]'
run cantor-curves fig5-small cantor5-curves --set 'width=[20,50]' --set 'seed=[0,1,2]' "${rate[@]}"
run cantor-curves why-rate cantor5-curves --set width=100 --set 'curve=["3","4","6"]' --set 'seed=[0,1,2]' --set learning_rate=0.0003
run cantor-curves why-slow200 cantor5-curves --set 'curve=["2","3","4","5","6"]' --set 'seed=[1]' --set learning_rate=0.0001
run inactive why-inactive cantor5-curves --set 'width=[50,100,200,400]' --set 'curve=["1","3"]' --set 'seed=[0,1,2]' \
    --set 'learning_rate=[0.001,0.0003,0.0001]' --set steps=20000 --set record_every=2000
run cantor-curves-he why-he cantor5-curves --set width=100 --set 'curve=["3","4","6"]' --set 'seed=[0,1,2]' "${rate[@]}" \
    --set initialisation=he
run cantor-curves why-steps cantor5-curves --set width=100 --set 'curve=["3","4","6"]' --set 'seed=[0]' "${rate[@]}" \
    --set steps=3000000 --set record_every=30000
python "$docs/controls.py"
python "$docs/paper.py"
