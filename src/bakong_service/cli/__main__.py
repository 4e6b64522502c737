"""`python -m bakong_service.cli` is `bakong-service`."""

from bakong_service.cli.app import main

main()
