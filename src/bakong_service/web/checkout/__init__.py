"""What a payer sees: the page of a payment, and the tokens that open it."""
