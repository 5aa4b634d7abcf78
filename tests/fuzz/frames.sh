#!/bin/sh
# The fuzz target of frames and messages over its seeds and mutations of them; HACKING tells how to
# run it under libFuzzer.
exec ./tests/fuzz/fuzz_frames "${srcdir:-.}/tests/fuzz/frames"
