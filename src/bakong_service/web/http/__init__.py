"""What serves every route: the gate, bodies, paging, problems, idempotency, keys, limits, the OpenAPI document."""
