"""`python -m bakong_khqr.cli` is `khqr`."""

from bakong_khqr.cli.app import main

main()
