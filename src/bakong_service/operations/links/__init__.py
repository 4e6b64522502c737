"""Operations on payment links: making and closing them, selling by them, and reading what they sold."""
