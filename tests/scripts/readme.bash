# readme.bash: the examples of README, for tests that run them. Sourced behind daemon.bash.
# shellcheck shell=bash disable=SC2154

# readme_blocks FOLDER: makes it, with a file for each block that is indented by four behind an empty line,
# without that indent.
readme_blocks()
{
    readme_folder=$1
    mkdir "$readme_folder"
    awk -v folder="$readme_folder" '
        !inside && last == "" && /^    / { inside = 1; file = sprintf("%s/%03d", folder, ++count) }
        inside && /^    / { print substr($0, 5) >file }
        !/^    / { if (inside) close(file); inside = 0 }
        { last = $0 }
    ' "$source_dir/README"
}

# readme_block BEGINNING: the file of the first block whose first line begins so, spaces in front aside.
readme_block()
{
    awk -v begin="$1" 'FNR == 1 { text = $0; sub(/^ +/, "", text)
        if (index(text, begin) == 1) { print FILENAME; exit } }' "$readme_folder"/*
}
